// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper void anon_ttu_helper_synchronize_rcu_tasks(void)
{
	synchronize_rcu_tasks();
}
