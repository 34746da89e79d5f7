// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's static inline functions and macros that the Rust code calls,
 * each as a function of its own with the prefix anon_ttu_helper_. One file for
 * each header, sorted alphabetically; no decisions are taken here.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/* Not exported: the header declares, and its functions use, a pointer instead. */
#if defined(CONFIG_MMU_NOTIFIER) && defined(CONFIG_LOCKDEP)
#define __mmu_notifier_invalidate_range_start_map	\
	(*anon_ttu___mmu_notifier_invalidate_range_start_map)
#endif

/*
 * x86 hides its TLB functions from modules. Everything that the header
 * includes by itself has to come before it, with MODULE as it is.
 */
#include <linux/minmax.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#ifdef CONFIG_X86
#include <asm/invpcid.h>
#include <asm/pti.h>
#undef MODULE
#include <asm/tlbflush.h>
#define MODULE
#endif

#include <linux/fault-inject.h>
#include <linux/ftrace.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/kernel.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmap_lock.h>
#include <linux/pagewalk.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/userfaultfd_k.h>
#include <asm/tlbflush.h>

#include "symbols.h"

/*
 * Objects that are not exported are reached through a pointer. The headers
 * included from here on use them by the kernel's name.
 */
#define init_mm (*anon_ttu_init_mm)
#define mmlist_lock (*anon_ttu_mmlist_lock)
#define swap_info (*anon_ttu_swap_info)

#include "mm/internal.h"
#include "mm/swap.h"
#include "mm/swap_table.h"

#if defined(CONFIG_MMU_NOTIFIER) && defined(CONFIG_LOCKDEP)
#undef __mmu_notifier_invalidate_range_start_map
#endif
#undef init_mm
#undef mmlist_lock
#undef swap_info

#if defined(__BINDGEN__)
/* Declarations are enough, and functions that nobody declared are meant. */
#define __anon_ttu_helper
#elif defined(ANON_TTU_INLINED)
/* For the Rust code; LLVM would leave them alone for flags that do not matter here. */
#define __anon_ttu_helper __always_inline
#else
#define __anon_ttu_helper __used
#endif

/* Where helpers are inlined, the object file has only the rest. */
#ifndef ANON_TTU_SYMBOLS_ONLY
#include "barrier.c"
#include "fault-inject.c"
#include "ftrace.c"
#include "internal.c"
#include "kernel.c"
#include "leafops.c"
#include "mm.c"
#include "mmap_lock.c"
#include "mmu_notifier.c"
#include "page-flags.c"
#include "pagewalk.c"
#include "pgtable.c"
#include "rcupdate.c"
#include "rmap.c"
#include "swap.c"
#include "swap_table.c"
#include "swapops.c"
#include "tlbflush.c"
#include "userfaultfd_k.c"
#endif

#include "symbols.c"
#ifndef ANON_TTU_INLINED
#include "resolve.c"
#endif
