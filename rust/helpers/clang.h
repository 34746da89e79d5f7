/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For a kernel that was configured for GCC, what Clang has not: it leaves the
 * segment out where assembler is given an operand in a named address space, so
 * that every CPU would use the same variable (arch/x86/Kconfig: CC_HAS_NAMED_AS).
 */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_USE_X86_SEG_SUPPORT
