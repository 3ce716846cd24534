/* Egress rules: no input crashes; what is accepted is written and read back as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/egress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        char *lists[] = {text, NULL};
        _cleanup_egress_ struct egress e = {0};
        err *error;

        if (!text)
                return 0;
        error = egress_parse(lists, &e);
        if (error) {
                err_free(error);
                return 0;
        }
        for (size_t i = 0; i + 1 < e.n; i++) {
                _cleanup_free_ char *rule = NULL, *again = NULL, *list = NULL;
                _cleanup_egress_ struct egress one = {0};

                if (egress_format(&e.rules[i], &rule))
                        abort();
                list = malloc(strlen(rule) + sizeof(",deny=*"));
                if (!list)
                        abort();
                memcpy(list, rule, strlen(rule));
                memcpy(list + strlen(rule), ",deny=*", sizeof(",deny=*"));
                if (egress_parse((char *[]){list, NULL}, &one) || egress_format(&one.rules[0], &again) ||
                    strcmp(rule, again) != 0)
                        abort();
        }
        return 0;
}
