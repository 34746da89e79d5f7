/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's functions and objects that this module uses and that are not
 * exported. This table is the only place that names them.
 *
 * FUNC(type, name, parameters, arguments)	has a value
 * PROC(name, parameters, arguments)		returns void
 * DATA(name)					an object, or a function of which
 *						only the address is needed
 */
#ifndef ANON_TTU_SYMBOLS_H
#define ANON_TTU_SYMBOLS_H

#ifdef CONFIG_MMU_NOTIFIER
#define ANON_TTU_NOTIFIER_SYMBOLS(FUNC, PROC)				\
	FUNC(int, __mmu_notifier_invalidate_range_start,		\
	     (struct mmu_notifier_range *range), (range))		\
	PROC(__mmu_notifier_invalidate_range_end,			\
	     (struct mmu_notifier_range *range), (range))		\
	PROC(__mmu_notifier_arch_invalidate_secondary_tlbs,		\
	     (struct mm_struct *mm, unsigned long start,		\
	      unsigned long end), (mm, start, end))
#else
#define ANON_TTU_NOTIFIER_SYMBOLS(FUNC, PROC)
#endif

#ifdef CONFIG_X86
#define ANON_TTU_ARCH_SYMBOLS(FUNC, PROC)				\
	PROC(flush_tlb_mm_range, (struct mm_struct *mm,			\
	     unsigned long start, unsigned long end,			\
	     unsigned int stride_shift, bool freed_tables),		\
	     (mm, start, end, stride_shift, freed_tables))
#endif

#ifdef CONFIG_ARM64
#ifdef CONFIG_ARM64_MTE
#define ANON_TTU_MTE_SYMBOLS(FUNC, PROC)				\
	PROC(mte_sync_tags, (pte_t pte, unsigned int nr_pages),		\
	     (pte, nr_pages))
#else
#define ANON_TTU_MTE_SYMBOLS(FUNC, PROC)
#endif
#ifdef CONFIG_ARM64_ERRATUM_4193714
#define ANON_TTU_DVMSYNC_SYMBOLS(FUNC, PROC)				\
	PROC(sme_do_dvmsync, (const struct cpumask *mask), (mask))
#else
#define ANON_TTU_DVMSYNC_SYMBOLS(FUNC, PROC)
#endif
#ifdef CONFIG_DEBUG_VM
#define ANON_TTU_PTE_CHECK_SYMBOLS(FUNC, PROC)				\
	FUNC(bool, pgattr_change_is_safe, (pteval_t old, pteval_t new),	\
	     (old, new))
#else
#define ANON_TTU_PTE_CHECK_SYMBOLS(FUNC, PROC)
#endif
#define ANON_TTU_ARCH_SYMBOLS(FUNC, PROC)				\
	ANON_TTU_MTE_SYMBOLS(FUNC, PROC)				\
	ANON_TTU_DVMSYNC_SYMBOLS(FUNC, PROC)				\
	ANON_TTU_PTE_CHECK_SYMBOLS(FUNC, PROC)
#endif

#define ANON_TTU_SYMBOLS(FUNC, PROC)					\
	FUNC(bool, cond_install_uffd_wp_ptes,				\
	     (struct vm_area_struct *vma, unsigned long addr,		\
	      pte_t *ptep, pte_t pteval, unsigned long nr),		\
	     (vma, addr, ptep, pteval, nr))				\
	FUNC(int, folio_alloc_swap, (struct folio *folio), (folio))	\
	FUNC(int, folio_dup_swap,					\
	     (struct folio *folio, struct page *page), (folio, page))	\
	FUNC(bool, folio_free_swap, (struct folio *folio), (folio))	\
	FUNC(bool, folio_isolate_lru, (struct folio *folio), (folio))	\
	FUNC(struct anon_vma *, folio_lock_anon_vma_read,		\
	     (const struct folio *folio, struct rmap_walk_control *rwc), \
	     (folio, rwc))						\
	PROC(folio_put_swap, (struct folio *folio, struct page *page),	\
	     (folio, page))						\
	PROC(folio_putback_lru, (struct folio *folio), (folio))		\
	PROC(folio_remove_rmap_ptes,					\
	     (struct folio *folio, struct page *page, int nr_pages,	\
	      struct vm_area_struct *vma), (folio, page, nr_pages, vma)) \
	FUNC(struct folio *, folio_walk_start,				\
	     (struct folio_walk *fw, struct vm_area_struct *vma,	\
	      unsigned long addr, folio_walk_flags_t flags),		\
	     (fw, vma, addr, flags))					\
	PROC(lru_add_drain, (void), ())					\
	PROC(lru_add_drain_all, (void), ())				\
	PROC(mlock_drain_local, (void), ())				\
	PROC(mlock_folio, (struct folio *folio), (folio))		\
	FUNC(pmd_t *, mm_find_pmd,					\
	     (struct mm_struct *mm, unsigned long address),		\
	     (mm, address))						\
	PROC(mm_trace_rss_stat, (struct mm_struct *mm, int member),	\
	     (mm, member))						\
	FUNC(bool, page_vma_mapped_walk,				\
	     (struct page_vma_mapped_walk *pvmw), (pvmw))		\
	FUNC(unsigned long, reclaim_pages,				\
	     (struct list_head *folio_list), (folio_list))		\
	PROC(rmap_walk,							\
	     (struct folio *folio, struct rmap_walk_control *rwc),	\
	     (folio, rwc))						\
	PROC(split_huge_pmd_locked,					\
	     (struct vm_area_struct *vma, unsigned long address,	\
	      pmd_t *pmd, bool freeze), (vma, address, pmd, freeze))	\
	PROC(try_to_unmap, (struct folio *folio, enum ttu_flags flags),	\
	     (folio, flags))						\
	PROC(try_to_unmap_flush, (void), ())				\
	PROC(vma_pgtable_walk_end, (struct vm_area_struct *vma), (vma)) \
	ANON_TTU_NOTIFIER_SYMBOLS(FUNC, PROC)				\
	ANON_TTU_ARCH_SYMBOLS(FUNC, PROC)

#if defined(CONFIG_MMU_NOTIFIER) && defined(CONFIG_LOCKDEP)
#define ANON_TTU_LOCKDEP_SYMBOLS(DATA)					\
	DATA(__mmu_notifier_invalidate_range_start_map)
#else
#define ANON_TTU_LOCKDEP_SYMBOLS(DATA)
#endif

#define ANON_TTU_DATA_SYMBOLS(DATA)					\
	ANON_TTU_LOCKDEP_SYMBOLS(DATA)					\
	DATA(init_mm)							\
	DATA(mmlist_lock)						\
	DATA(swap_info)							\
	DATA(try_to_unmap_one)

/* Where the objects are. */
extern struct mm_struct *anon_ttu_init_mm;
extern spinlock_t *anon_ttu_mmlist_lock;
extern struct swap_info_struct *(*anon_ttu_swap_info)[];
extern void *anon_ttu_try_to_unmap_one;

#endif /* ANON_TTU_SYMBOLS_H */
