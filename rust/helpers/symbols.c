// SPDX-License-Identifier: GPL-2.0

/*
 * Each unexported function of symbols.h is defined here under its own name and
 * goes on to the kernel's by static_call: a patched direct jump where the
 * architecture has it, so that neither sealed ENDBRs nor retpolines get in the
 * way. Inline functions of the kernel's headers then link as they are.
 */

#include <linux/static_call.h>

#define ANON_TTU_STATIC_CALL(name) anon_ttu_call_##name

/* Where they are inlined, the calls themselves are in the object file of the other half. */
#ifdef ANON_TTU_INLINED
#define ANON_TTU_CALL(name)	DECLARE_STATIC_CALL(ANON_TTU_STATIC_CALL(name), name)
#define ANON_TTU_WRAPPER	__always_inline
#else
#define ANON_TTU_CALL(name)	DEFINE_STATIC_CALL_NULL(ANON_TTU_STATIC_CALL(name), name)
#define ANON_TTU_WRAPPER
#endif

#define DEFINE_FUNC(type, name, params, args)				\
	ANON_TTU_CALL(name);						\
	ANON_TTU_WRAPPER type name params				\
	{								\
		return static_call(ANON_TTU_STATIC_CALL(name)) args;	\
	}
#define DEFINE_PROC(name, params, args)					\
	ANON_TTU_CALL(name);						\
	ANON_TTU_WRAPPER void name params				\
	{								\
		static_call(ANON_TTU_STATIC_CALL(name)) args;		\
	}
ANON_TTU_SYMBOLS(DEFINE_FUNC, DEFINE_PROC)

__anon_ttu_helper unsigned long anon_ttu_helper_try_to_unmap_one_address(void)
{
	return (unsigned long)anon_ttu_try_to_unmap_one;
}
