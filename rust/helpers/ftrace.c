// SPDX-License-Identifier: GPL-2.0

/* Called while a call is on its way: not to be traced itself. */
__anon_ttu_helper notrace
unsigned long anon_ttu_helper_ftrace_regs_get_argument(struct ftrace_regs *fregs, unsigned int n)
{
	return ftrace_regs_get_argument(fregs, n);
}

__anon_ttu_helper notrace
void anon_ttu_helper_ftrace_regs_set_instruction_pointer(struct ftrace_regs *fregs,
							 unsigned long ip)
{
	ftrace_regs_set_instruction_pointer(fregs, ip);
}
