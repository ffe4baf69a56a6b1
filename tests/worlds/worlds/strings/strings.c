/* What the functions return and what they leave behind. */
#include "module.h"

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void searching(void)
{
	const char *text = opaque((const char *)"hello, world");

	pr_info("lengths %zu %zu %zu\n", strlen(text), strnlen(text, 5), strnlen(text, 100));
	pr_info("found %s|%s|%s|%s\n", strchr(text, 'o'), strrchr(text, 'o'), strstr(text, "lo,"),
		strchr(text, 0));
	pr_info("absent %d %d %d\n", strchr(text, 'z') == NULL, strstr(text, "world!") == NULL,
		memchr(text, 'w', 5) == NULL);
	pr_info("spans %zu %zu\n", strspn(text, "hel"), strcspn(text, " ,"));
	pr_info("compared %d %d %d %d %d\n", sign(strcmp(text, "hello")),
		sign(strcmp("abc", "abd")), sign(strncmp(text, "hellish", 4)),
		sign(strcasecmp(text, "HELLO, World")), sign(memcmp("\x01\xff", "\x01\x7f", 2)));
}

static void copying(void)
{
	char buffer[32], fields[] = "one,,three;four", *rest = fields;
	const char *field;

	memset(buffer, '#', sizeof(buffer));
	strcpy(buffer, "abc");
	strcat(buffer, "def");
	pr_info("joined %s, then %c\n", buffer, buffer[7]);
	strncpy(buffer, "xy", 5);
	pr_info("padded %*ph\n", 8, buffer);
	pr_info("cut %ld", strscpy(buffer, "truncate me", 6));
	printk(" %s\n", buffer);
	while ((field = strsep(&rest, ",;")) != NULL)
		printk("<%s>", field);
	printk("\n");
}

static void overlapping(void)
{
	char line[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t digest = DIGEST_START;
	uint8_t area[97];

	memmove(line + 3, line, 20);
	pr_info("up %s\n", line);
	memmove(line, line + 5, 20);
	pr_info("down %s\n", line);
	/* Every combination of small offsets and lengths. */
	for (size_t to = 0; to < 12; to++) {
		for (size_t from = 0; from < 12; from++) {
			for (size_t n = 0; n < 80; n += 7) {
				for (size_t i = 0; i < sizeof(area); i++)
					area[i] = (uint8_t)(i * 7);
				memmove(area + to, area + from, n);
				memset(area + from, (int)n, to);
				for (size_t i = 0; i < sizeof(area); i++)
					digest = digest_add(digest, area[i]);
			}
		}
	}
	pr_info("moves %016llx\n", (unsigned long long)digest);
}

static int __init start(void)
{
	searching();
	copying();
	overlapping();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");
