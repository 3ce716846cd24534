/* Feeds every file of the directories named on the command line to a fuzz target: corpora are ordinary tests in
 * ordinary builds. libFuzzer brings its own main(). */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_directory(const char *path)
{
        DIR *d = opendir(path);
        struct dirent *e;
        int n = 0;

        if (!d) {
                perror(path);
                return -1;
        }
        while ((e = readdir(d))) {
                _cleanup_free_ char *text = NULL;
                _cleanup_free_ uint8_t *exact = NULL;
                size_t size;

                if (e->d_name[0] == '.')
                        continue;
                if (file_read(dirfd(d), e->d_name, 16u << 20, &text, &size) < 0) {
                        (void)fprintf(stderr, "%s/%s: unreadable\n", path, e->d_name);
                        n = -1;
                        break;
                }
                /* without the terminator that file_read() appends, so that a sanitizer sees one byte too many */
                exact = malloc(size ? size : 1);
                if (!exact)
                        abort();
                memcpy(exact, text, size);
                (void)fprintf(stderr, "%s\n", e->d_name); /* the last one shown is the one that crashed */
                (void)LLVMFuzzerTestOneInput(exact, size);
                n++;
        }
        (void)closedir(d);
        return n;
}

int main(int argc, char **argv)
{
        int total = 0;

        for (int i = 1; i < argc; i++) {
                int n = run_directory(argv[i]);

                if (n < 0)
                        return 1;
                total += n;
        }
        (void)printf("%d inputs\n", total);
        return total ? 0 : 1;
}
