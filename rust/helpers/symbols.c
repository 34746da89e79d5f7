// SPDX-License-Identifier: GPL-2.0

/*
 * Each unexported function of symbols.h is defined here under its own name and
 * goes on to the kernel's by static_call: a patched direct jump where the
 * architecture has it, so that neither sealed ENDBRs nor retpolines get in the
 * way. Inline functions of the kernel's headers then link as they are.
 */

#include <linux/kprobes.h>
#include <linux/static_call.h>

#define ANON_TTU_STATIC_CALL(name) anon_ttu_call_##name

#define DEFINE_FUNC(type, name, params, args)				\
	DEFINE_STATIC_CALL_NULL(ANON_TTU_STATIC_CALL(name), name);	\
	type name params						\
	{								\
		return static_call(ANON_TTU_STATIC_CALL(name)) args;	\
	}
#define DEFINE_PROC(name, params, args)					\
	DEFINE_STATIC_CALL_NULL(ANON_TTU_STATIC_CALL(name), name);	\
	void name params						\
	{								\
		static_call(ANON_TTU_STATIC_CALL(name)) args;		\
	}
ANON_TTU_SYMBOLS(DEFINE_FUNC, DEFINE_PROC)

#define COUNT_FUNC(type, name, params, args) + 1
#define COUNT_PROC(name, params, args) + 1
#define COUNT_DATA(name) + 1
#define ANON_TTU_NR_SYMBOLS						\
	(0 ANON_TTU_SYMBOLS(COUNT_FUNC, COUNT_PROC)			\
	 ANON_TTU_DATA_SYMBOLS(COUNT_DATA))

/* Not in symbols.h: it is what the others are found with. */
DEFINE_STATIC_CALL_NULL(anon_ttu_kallsyms_lookup_name, kallsyms_lookup_name);

static int anon_ttu_find_kallsyms(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
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
 * All symbols are looked up before the first one is put to use, so that a
 * kernel which lacks one is left alone.
 */
int anon_ttu_helper_resolve_symbols(void)
{
	unsigned long addr[ANON_TTU_NR_SYMBOLS];
	const char *missing = NULL;
	int i, err;

	err = anon_ttu_find_kallsyms();
	if (err)
		return err;

	i = 0;
#define LOOKUP(symbol)							\
	do {								\
		addr[i] = static_call(anon_ttu_kallsyms_lookup_name)(#symbol); \
		if (!addr[i++])	{					\
			pr_err("symbol not found in this kernel: %s\n",	\
			       #symbol);				\
			missing = #symbol;				\
		}							\
	} while (0);
#define LOOKUP_FUNC(type, name, params, args) LOOKUP(name)
#define LOOKUP_PROC(name, params, args) LOOKUP(name)
	ANON_TTU_SYMBOLS(LOOKUP_FUNC, LOOKUP_PROC)
	ANON_TTU_DATA_SYMBOLS(LOOKUP)
	if (missing)
		return -ENOENT;

	i = 0;
#define UPDATE(name)							\
	static_call_update(ANON_TTU_STATIC_CALL(name), (void *)addr[i++]);
#define UPDATE_FUNC(type, name, params, args) UPDATE(name)
#define UPDATE_PROC(name, params, args) UPDATE(name)
	ANON_TTU_SYMBOLS(UPDATE_FUNC, UPDATE_PROC)
#define UPDATE_DATA(name) anon_ttu_##name = (void *)addr[i++];
	ANON_TTU_DATA_SYMBOLS(UPDATE_DATA)
	return 0;
}
