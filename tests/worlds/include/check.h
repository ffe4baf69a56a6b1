/*
 * For worlds in which every step is to succeed: the first that does not is named, and ends
 * the function with its status. An expectation of value 0 then says that all of them did.
 */
#ifndef CHECK_H
#define CHECK_H

#include "module.h"

#define TRY(call)                                                                          \
	do {                                                                               \
		lcd_status try_ = (call);                                                  \
		if (try_ != LCD_OK) {                                                      \
			pr_err("line %d, %s: %ld\n", __LINE__, #call, (long)try_);         \
			return (int)try_;                                                  \
		}                                                                          \
	} while (0)

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			pr_err("line %d, not so: %s\n", __LINE__, #condition);             \
			return LCD_INVALID;                                                \
		}                                                                          \
	} while (0)

#define RW (LCD_READ | LCD_WRITE)

/* The state of a domain whose threads have all ended. */
#define DOMAIN_DEAD 4

/* Waits until a domain has ended. */
static inline lcd_status wait_for_end(lcd_u64 domain, struct lcd_domain *result)
{
	lcd_status status;

	while ((status = lcd_domain_inspect(domain, result)) == LCD_OK &&
	       result->state != DOMAIN_DEAD)
		lcd_yield();
	return status;
}

#endif /* CHECK_H */
