/*
 * Locks, and what else keeps threads apart. A kernel module's code runs on one thread, and no
 * interrupt enters it, so a lock is free whenever it is asked for, and taking it changes
 * nothing. A program that creates threads knows lcd, and does not keep them apart with these.
 */
#include "kernel.h"

/* Taken and given back, by the address of the lock. */
#define LOCK(name)                                                                         \
	void name(void *lock);                                                             \
	void name(void *lock)                                                              \
	{                                                                                  \
		(void)lock;                                                                \
	}
/* The same, where the answer is `result`: taken, or not interrupted. */
#define LOCK_ANSWER(name, result)                                                          \
	int name(void *lock);                                                              \
	int name(void *lock)                                                               \
	{                                                                                  \
		(void)lock;                                                                \
		return result;                                                             \
	}
/* The same, with a word of saved flags that comes back at the end. */
#define LOCK_SAVE(name)                                                                    \
	unsigned long name(void *lock);                                                    \
	unsigned long name(void *lock)                                                     \
	{                                                                                  \
		(void)lock;                                                                \
		return 0;                                                                  \
	}
#define LOCK_RESTORE(name)                                                                 \
	void name(void *lock, unsigned long flags);                                        \
	void name(void *lock, unsigned long flags)                                         \
	{                                                                                  \
		(void)lock;                                                                \
		(void)flags;                                                               \
	}

LOCK(_raw_spin_lock)
LOCK(_raw_spin_lock_bh)
LOCK(_raw_spin_lock_irq)
LOCK_SAVE(_raw_spin_lock_irqsave)
LOCK_ANSWER(_raw_spin_trylock, 1)
LOCK_ANSWER(_raw_spin_trylock_bh, 1)
LOCK(_raw_spin_unlock)
LOCK(_raw_spin_unlock_bh)
LOCK(_raw_spin_unlock_irq)
LOCK_RESTORE(_raw_spin_unlock_irqrestore)

LOCK(_raw_read_lock)
LOCK(_raw_read_lock_bh)
LOCK(_raw_read_lock_irq)
LOCK_SAVE(_raw_read_lock_irqsave)
LOCK(_raw_read_unlock)
LOCK(_raw_read_unlock_bh)
LOCK(_raw_read_unlock_irq)
LOCK_RESTORE(_raw_read_unlock_irqrestore)
LOCK(_raw_write_lock)
LOCK(_raw_write_lock_bh)
LOCK(_raw_write_lock_irq)
LOCK_SAVE(_raw_write_lock_irqsave)
LOCK(_raw_write_unlock)
LOCK(_raw_write_unlock_bh)
LOCK(_raw_write_unlock_irq)
LOCK_RESTORE(_raw_write_unlock_irqrestore)

LOCK(mutex_lock)
LOCK(mutex_unlock)
LOCK(mutex_destroy)
LOCK_ANSWER(mutex_trylock, 1)
LOCK_ANSWER(mutex_lock_interruptible, 0)
LOCK_ANSWER(mutex_lock_killable, 0)
LOCK_ANSWER(mutex_is_locked, 0)

LOCK(down_read)
LOCK(up_read)
LOCK(down_write)
LOCK(up_write)
LOCK(downgrade_write)
LOCK_ANSWER(down_read_trylock, 1)
LOCK_ANSWER(down_write_trylock, 1)
LOCK_ANSWER(down_write_killable, 0)

LOCK(down)
LOCK(up)
LOCK_ANSWER(down_interruptible, 0)
LOCK_ANSWER(down_trylock, 0)

void __mutex_init(void *lock, const char *name, void *key)
{
	(void)lock;
	(void)name;
	(void)key;
}

void __init_rwsem(void *lock, const char *name, void *key)
{
	__mutex_init(lock, name, key);
}

void __init_swait_queue_head(void *queue, const char *name, void *key)
{
	__mutex_init(queue, name, key);
}

void __init_waitqueue_head(void *queue, const char *name, void *key)
{
	__mutex_init(queue, name, key);
}

/* Sections that nobody else can disturb. */
#define SECTION(name)                                                                      \
	void name(void);                                                                   \
	void name(void)                                                                    \
	{                                                                                  \
	}

SECTION(__rcu_read_lock)
SECTION(__rcu_read_unlock)
SECTION(rcu_read_unlock_strict)
SECTION(synchronize_rcu)
SECTION(rcu_barrier)
SECTION(migrate_disable)
SECTION(migrate_enable)

void __local_bh_enable_ip(unsigned long address, unsigned int count)
{
	(void)address;
	(void)count;
}

int __cond_resched(void)
{
	return 0;
}

void __might_resched(const char *file, int line, unsigned int offsets)
{
	(void)file;
	(void)line;
	(void)offsets;
}

void __might_sleep(const char *file, int line)
{
	__might_resched(file, line, 0);
}
