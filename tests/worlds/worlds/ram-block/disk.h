/* What the disk and who uses it agree on: requests in a ring, their data in shared pages. */
#ifndef DISK_H
#define DISK_H

#define SECTOR 512
#define SECTORS 128

enum { READ, WRITE };

/*
 * A request's words: what to do, the first sector, how many, and where their data is in the
 * shared memory. The answer has the request's flags, and in its first word the status.
 */
#define REQUEST(operation, sector, count, offset) { (operation), (sector), (count), (offset) }

#endif /* DISK_H */
