// SPDX-License-Identifier: GPL-2.0

/*
 * Finds the kernel's symbols when the module is loaded, and has the static calls
 * and the pointers to objects lead there.
 */

#include <linux/kprobes.h>
#include <linux/module.h>

#if defined(CONFIG_MMU_NOTIFIER) && defined(CONFIG_LOCKDEP)
struct lockdep_map *anon_ttu___mmu_notifier_invalidate_range_start_map;
#endif
struct mm_struct *anon_ttu_init_mm;
spinlock_t *anon_ttu_mmlist_lock; /* the kernel's mmlist_lock */
struct swap_info_struct *(*anon_ttu_swap_info)[];
void *anon_ttu_try_to_unmap_one;

/* A symbol, and what is to reach it: a static call, or a pointer. */
struct anon_ttu_symbol {
	const char *name;
	struct static_call_key *key;
	void *tramp;
	void **pointer;
};

#define CALL_ENTRY(symbol) {						\
	.name = #symbol,						\
	.key = &STATIC_CALL_KEY(ANON_TTU_STATIC_CALL(symbol)),		\
	.tramp = STATIC_CALL_TRAMP_ADDR(ANON_TTU_STATIC_CALL(symbol)),	\
},
#define FUNC_ENTRY(type, name, params, args) CALL_ENTRY(name)
#define PROC_ENTRY(name, params, args) CALL_ENTRY(name)
#define DATA_ENTRY(symbol) {						\
	.name = #symbol,						\
	.pointer = (void **)&anon_ttu_##symbol,				\
},

static const struct anon_ttu_symbol anon_ttu_symbols[] = {
	ANON_TTU_SYMBOLS(FUNC_ENTRY, PROC_ENTRY)
	ANON_TTU_DATA_SYMBOLS(DATA_ENTRY)
};

/* Not in the table: they are what the others are found with. */
DEFINE_STATIC_CALL_NULL(anon_ttu_kallsyms_lookup_name, kallsyms_lookup_name);
DEFINE_STATIC_CALL_NULL(anon_ttu_is_module_address, is_module_address);

static int anon_ttu_find_kallsyms(void)
{
	/*
	 * Never armed: without memory, the kernel could not disarm it, and would keep what is on
	 * this stack.
	 */
	struct kprobe kp = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	int err = register_kprobe(&kp);

	if (err) {
		pr_err("kprobe on %s failed: %d\n", kp.symbol_name, err);
		return err;
	}
	static_call_update(anon_ttu_kallsyms_lookup_name, (void *)kp.addr);
	unregister_kprobe(&kp);
	return 0;
}

/*
 * Returns the kernel's own symbol, or zero. What the kernel lacks is looked for in the modules,
 * and symbols.c defines each function under the same name.
 */
static unsigned long anon_ttu_lookup(const char *name)
{
	unsigned long addr = static_call(anon_ttu_kallsyms_lookup_name)(name);

	if (addr && !static_call(anon_ttu_is_module_address)(addr))
		return addr;
	pr_err("symbol not found in this kernel: %s\n", name);
	return 0;
}

/*
 * All symbols are looked up before the first one is put to use, so that a
 * kernel which lacks one is left alone.
 */
int anon_ttu_helper_resolve_symbols(void)
{
	unsigned long addr[ARRAY_SIZE(anon_ttu_symbols)];
	unsigned long is_module_address;
	bool missing = false;
	int err, i;

	err = anon_ttu_find_kallsyms();
	if (err)
		return err;
	is_module_address = static_call(anon_ttu_kallsyms_lookup_name)("is_module_address");
	if (!is_module_address) {
		pr_err("symbol not found in this kernel: is_module_address\n");
		return -ENOENT;
	}
	static_call_update(anon_ttu_is_module_address, (void *)is_module_address);

	for (i = 0; i < ARRAY_SIZE(anon_ttu_symbols); i++) {
		addr[i] = anon_ttu_lookup(anon_ttu_symbols[i].name);
		missing |= !addr[i];
	}
	if (missing)
		return -ENOENT;

	for (i = 0; i < ARRAY_SIZE(anon_ttu_symbols); i++) {
		const struct anon_ttu_symbol *symbol = &anon_ttu_symbols[i];

		if (symbol->pointer)
			*symbol->pointer = (void *)addr[i];
		else
			__static_call_update(symbol->key, symbol->tramp,
					     (void *)addr[i]);
	}
	return 0;
}
