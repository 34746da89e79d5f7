// SPDX-License-Identifier: GPL-2.0

/* The kernel crate has one, too: a function call, even where there is nothing to do. */
__anon_ttu_helper void anon_ttu_helper_might_sleep(void)
{
	might_sleep();
}
