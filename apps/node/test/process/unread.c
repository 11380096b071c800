/* Preloaded into a process it stands for a disk that refuses to read the file UNREAD_FILE behind its first page, for as long as the file UNREAD_WHILE is there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuses(int fd, off64_t at) {
  const char *file = getenv("UNREAD_FILE"), *marker = getenv("UNREAD_WHILE");
  struct stat named, open;
  if (file == NULL || marker == NULL || at < 4096 || access(marker, F_OK) != 0) return 0;
  return stat(file, &named) == 0 && fstat(fd, &open) == 0 && named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

#define PREAD(name, type) \
  ssize_t name(int fd, void *bytes, size_t length, type at) { \
    static __typeof__(name) *real; \
    if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
    int error = errno; \
    if (refuses(fd, at)) { errno = EIO; return -1; } \
    errno = error; \
    return real(fd, bytes, length, at); \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)
