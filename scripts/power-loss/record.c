/*
 * Writes down what a process does to the files of a folder, for a model of a disk to lose some of it (`disk.mjs`). It is preloaded into the process, passes
 * every call on, and appends a record of it to a log.
 *
 * RECORD_ROOT names the folder, RECORD_LOG the logs outside of it: each process has its own, with its number behind that name. A record is a letter, the length of what follows the
 * length (4 bytes), its time (8 bytes: nanoseconds of the machine's steady clock, another one for each record of a process), and
 *   O  the number of an open file (4), its path   it is open, and was created if it was not there
 *   W  open file (4), offset (8), bytes           a write
 *   T  open file (4), size (8)                    a change of its size
 *   F  open file (4)                              a sync begins: what was written before it will be durable
 *   D  the path of a folder                       a sync of its names begins
 *   E  the time of that record (8)                the sync has ended
 *   U  a path                                     a name is gone
 *   L  length of a path (4), the path, another    the file has another name besides
 *   R  as L                                       ... in its place
 * Numbers are in the order of the machine. Paths are relative to the folder.
 *
 * What is written through a memory map is not seen: SQLite maps nothing but the index of a WAL, which need not outlive anything. A call that would change a file and is
 * not understood ends the process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OTHER, PLAIN, FOLDER };

#define OPEN_MAX_SEEN 4096
static struct { enum kind kind; uint32_t number; char *path; dev_t device; ino_t inode; } open_files[OPEN_MAX_SEEN];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int log_fd = -1;
static uint64_t latest;
static uint32_t opened;

static void give_up(const char *why) {
  fprintf(stderr, "record: %s\n", why);
  abort();
}

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("RECORD_ROOT"), *log = getenv("RECORD_LOG");
  if (folder == NULL || log == NULL || log_fd >= 0) return;
  if (realpath(folder, root) == NULL) give_up("RECORD_ROOT is no folder");
  char own[PATH_MAX];
  snprintf(own, sizeof own, "%s.%d", log, getpid());
  int fd = syscall(SYS_openat, AT_FDCWD, own, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) give_up("RECORD_LOG cannot be opened");
  log_fd = fd;
}

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    long done = syscall(SYS_write, log_fd, at, length);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) give_up("the log cannot be written");
    at += done;
    length -= done;
  }
}

#define VALUE(value) { (void *)&(value), sizeof(value) }
#define TEXT(text) { (void *)(text), strlen(text) }
#define RECORD(type, ...) record(type, (struct iovec[]){ __VA_ARGS__ }, sizeof((struct iovec[]){ __VA_ARGS__ }) / sizeof(struct iovec))

static uint64_t record(char type, const struct iovec *parts, size_t count) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t time = (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  latest = time = time > latest ? time : latest + 1;
  uint32_t length = sizeof time;
  for (size_t at = 0; at < count; at++) length += parts[at].iov_len;
  put(&type, 1);
  put(&length, sizeof length);
  put(&time, sizeof time);
  for (size_t at = 0; at < count; at++) put(parts[at].iov_base, parts[at].iov_len);
  return time;
}

/* The path inside of the folder, to be freed, or NULL where it is outside. */
static char *inside(const char *path) {
  char whole[PATH_MAX];
  if (log_fd < 0) return NULL;
  if (realpath(path, whole) == NULL) {
    /* It is not there, or no more; its folder is. */
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash - path >= PATH_MAX) return NULL;
    snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    if (realpath(folder, whole) == NULL || strlen(whole) + strlen(slash) >= sizeof whole) return NULL;
    strcat(whole, slash);
  }
  size_t length = strlen(root);
  if (strncmp(whole, root, length) != 0 || (whole[length] != '/' && whole[length] != 0)) return NULL;
  return strdup(whole[length] == 0 ? "." : whole + length + 1);
}

#define REAL(name) static __typeof__(name) *real; if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define IS_PLAIN(fd) (kind_of(fd) == PLAIN)
#define LOCKED(body) do { pthread_mutex_lock(&lock); body; int error = errno; pthread_mutex_unlock(&lock); errno = error; } while (0)

/* Some files are closed past this library, by the bare system call: then the number may stand for another one by now. */
static enum kind kind_of(int fd) {
  struct stat about;
  if (fd < 0 || fd >= OPEN_MAX_SEEN || open_files[fd].kind == OTHER) return OTHER;
  int error = errno;
  if (fstat(fd, &about) != 0 || about.st_dev != open_files[fd].device || about.st_ino != open_files[fd].inode) open_files[fd].kind = OTHER;
  errno = error;
  return open_files[fd].kind;
}

static void note_open(int fd, const char *path, int flags) {
  if (fd >= OPEN_MAX_SEEN) { if (inside(path) != NULL) give_up("too many open files"); return; }
  char *found = inside(path);
  struct stat about;
  pthread_mutex_lock(&lock);
  free(open_files[fd].path);
  open_files[fd].path = found;
  if (fstat(fd, &about) != 0) give_up("an open file that is none");
  open_files[fd].kind = found == NULL ? OTHER : S_ISDIR(about.st_mode) ? FOLDER : PLAIN;
  open_files[fd].device = about.st_dev;
  open_files[fd].inode = about.st_ino;
  if (open_files[fd].kind == PLAIN) {
    open_files[fd].number = ++opened;
    RECORD('O', VALUE(open_files[fd].number), TEXT(found));
    uint64_t size = 0;
    if (flags & O_TRUNC) RECORD('T', VALUE(open_files[fd].number), VALUE(size));
  }
  pthread_mutex_unlock(&lock);
}

#define OPEN(name, parameters, ...) \
  int name parameters { \
    REAL(name); \
    mode_t mode = 0; \
    if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    int fd = real(__VA_ARGS__, flags, mode), error = errno; \
    if (fd >= 0) note_open(fd, path, flags); \
    errno = error; \
    return fd; \
  }
OPEN(open, (const char *path, int flags, ...), path)
OPEN(open64, (const char *path, int flags, ...), path)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, path)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, path)

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < OPEN_MAX_SEEN) open_files[fd].kind = OTHER;
  return real(fd);
}

static void note_write(int fd, uint64_t offset, const void *bytes, size_t length) {
  RECORD('W', VALUE(open_files[fd].number), VALUE(offset), { (void *)bytes, length });
}

#define PWRITE(name, type) \
  ssize_t name(int fd, const void *bytes, size_t length, type offset) { \
    REAL(name); \
    if (!IS_PLAIN(fd)) return real(fd, bytes, length, offset); \
    ssize_t done; \
    LOCKED(done = real(fd, bytes, length, offset); if (done > 0) note_write(fd, offset, bytes, done)); \
    return done; \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  if (!IS_PLAIN(fd)) return real(fd, bytes, length);
  ssize_t done;
  LOCKED(
    struct stat about;
    fstat(fd, &about);
    uint64_t offset = fcntl(fd, F_GETFL) & O_APPEND ? about.st_size : lseek(fd, 0, SEEK_CUR);
    done = real(fd, bytes, length);
    if (done > 0) note_write(fd, offset, bytes, done)
  );
  return done;
}

#define TRUNCATE(name, type) \
  int name(int fd, type length) { \
    REAL(name); \
    if (!IS_PLAIN(fd)) return real(fd, length); \
    uint64_t size = length; \
    int done; \
    LOCKED(done = real(fd, length); if (done == 0) RECORD('T', VALUE(open_files[fd].number), VALUE(size))); \
    return done; \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
  int name(int fd) { \
    REAL(name); \
    enum kind kind = kind_of(fd); \
    if (kind == OTHER) return real(fd); \
    uint64_t begun; \
    LOCKED(begun = kind == PLAIN ? RECORD('F', VALUE(open_files[fd].number)) : RECORD('D', TEXT(open_files[fd].path))); \
    int done = real(fd); \
    if (done == 0) LOCKED(RECORD('E', VALUE(begun))); \
    return done; \
  }
SYNC(fsync)
SYNC(fdatasync)

#define UNKNOWN(type, name, parameters, ...) \
  type name parameters { \
    REAL(name); \
    if (IS_PLAIN(fd)) give_up(#name " of a file is not understood"); \
    return real(__VA_ARGS__); \
  }
UNKNOWN(ssize_t, writev, (int fd, const struct iovec *parts, int count), fd, parts, count)
UNKNOWN(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), fd, parts, count, at)
UNKNOWN(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), fd, parts, count, at)
UNKNOWN(ssize_t, sendfile64, (int fd, int from, off64_t *at, size_t count), fd, from, at, count)
UNKNOWN(int, fallocate, (int fd, int mode, off_t at, off_t length), fd, mode, at, length)
UNKNOWN(int, fallocate64, (int fd, int mode, off64_t at, off64_t length), fd, mode, at, length)

int unlink(const char *path) {
  REAL(unlink);
  char *gone = inside(path);
  if (gone == NULL) return real(path);
  int done;
  LOCKED(done = real(path); if (done == 0) RECORD('U', TEXT(gone)));
  free(gone);
  return done;
}

#define NAME(name, letter) \
  int name(const char *from, const char *to) { \
    REAL(name); \
    char *before = inside(from), *after = inside(to); \
    if (before == NULL && after == NULL) return real(from, to); \
    if (before == NULL || after == NULL) give_up(#name " across the folder's border"); \
    uint32_t length = strlen(before); \
    int done; \
    LOCKED(done = real(from, to); if (done == 0) RECORD(letter, VALUE(length), TEXT(before), TEXT(after))); \
    free(before); \
    free(after); \
    return done; \
  }
NAME(link, 'L')
NAME(rename, 'R')
