// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper void anon_ttu_helper_might_sleep(void)
{
	might_sleep();
}
