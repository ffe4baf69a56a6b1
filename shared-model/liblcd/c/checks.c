/* What compilers and checked builds call when they find a program to be broken. */
#include "kernel.h"

/* A function's return address may have been overwritten: it must not return. */
__attribute__((noreturn)) void __stack_chk_fail(void)
{
	panic("stack-protector: Kernel stack is corrupted in: %p", __builtin_return_address(0));
}

/* A string or memory function would have gone past the end of an object. */
__attribute__((noreturn)) void fortify_panic(const char *function)
{
	panic("detected buffer overflow in %s", function);
}

void __copy_overflow(int size, unsigned long count)
{
	_printk("Buffer overflow detected (%d < %lu)!\n", size, count);
}

/* A copy to or from user memory is about to use this kernel object. There are no users. */
void __check_object_size(const void *object, unsigned long size, bool to_user)
{
	(void)object;
	(void)size;
	(void)to_user;
}

/* A reference count overflowed, or was used after reaching zero: it sticks (refcount_t). */
void refcount_warn_saturate(int *count, int kind)
{
	static const char *const what[] = {
		"saturated; leaking memory.", "saturated; leaking memory.",
		"addition on 0; use-after-free.", "underflow; use-after-free.",
		"decrement hit 0; leaking memory.",
	};

	*count = (int)0xc0000000;
	_printk("refcount_t: %s\n", kind >= 0 && kind < 5 ? what[kind] : "unknown error.");
}

/* Lists whose links do not agree are reported and left as they are. */
struct list_head {
	struct list_head *next, *previous;
};

bool __list_add_valid(struct list_head *added, struct list_head *previous,
		      struct list_head *next)
{
	if (next->previous == previous && previous->next == next && added != previous &&
	    added != next)
		return true;
	_printk("list_add corruption: %px between %px and %px\n", added, previous, next);
	return false;
}

bool __list_del_entry_valid(struct list_head *entry)
{
	if (entry->next && entry->previous && entry->previous->next == entry &&
	    entry->next->previous == entry)
		return true;
	_printk("list_del corruption: %px\n", entry);
	return false;
}

/* Undefined behaviour found by a build with UBSAN. */
#define UBSAN(name)                                                                        \
	void __ubsan_handle_##name(void)                                                   \
	{                                                                                  \
		_printk("UBSAN: " #name " at %p\n", __builtin_return_address(0));          \
	}

void __ubsan_handle_out_of_bounds(void);
void __ubsan_handle_shift_out_of_bounds(void);
void __ubsan_handle_load_invalid_value(void);
void __ubsan_handle_divrem_overflow(void);
void __ubsan_handle_builtin_unreachable(void);
UBSAN(out_of_bounds)
UBSAN(shift_out_of_bounds)
UBSAN(load_invalid_value)
UBSAN(divrem_overflow)
UBSAN(builtin_unreachable)
