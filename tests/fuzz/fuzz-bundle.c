/* Whole image archives: a tar in a file, its list of members, and the images in it. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/bundle.h"

static err *look(struct bundle *b)
{
        for (size_t n = 0; n < bundle_n(b); n++) {
                _cleanup_doc_ struct document manifest = {0}, index = {0};
                _cleanup_(source_freep) struct source *s = NULL;

                TRY(bundle_source(b, n, &s));
                TRY(source_choose(s, NULL, &manifest, &index));
        }
        return NULL;
}

static err *open_all(int fd, int dirfd)
{
        _cleanup_(fileset_freep) struct fileset *files = NULL;
        _cleanup_(bundle_freep) struct bundle *b = NULL;
        size_t n;

        TRY(fileset_open_archive(fd, dirfd, &files));
        TRY(bundle_open(files, BUNDLE_ANY, &b));
        files = NULL;
        err_free(bundle_find(b, "x:1", &n));
        return look(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static int fd = -1, dirfd = -1;

        if (fd < 0) {
                fd = memfd_create("archive", MFD_CLOEXEC);
                dirfd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (fd < 0 || dirfd < 0 || ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
            file_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                abort();
        err_free(open_all(fd, dirfd));
        return 0;
}
