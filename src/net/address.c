/* address.c - see address.h. */
#include "net/address.h"

#include <string.h>
#include <sys/socket.h>

size_t address_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

int address_compare(const struct link_address *a, const struct link_address *b)
{
        return memcmp(a->data, b->data, address_size(a->family));
}

/* Mask of byte @i of a prefix. */
static unsigned char mask_of(unsigned prefix, unsigned i)
{
        unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;

        return bits >= 8 ? 0xff : (unsigned char)(0xff00u >> bits);
}

struct link_address address_network(const struct link_address *a)
{
        struct link_address r = *a;

        for (unsigned i = 0; i < address_size(a->family); i++)
                r.data[i] &= mask_of(a->prefix, i);
        return r;
}

struct link_address address_last(const struct link_address *a)
{
        struct link_address r = *a;

        for (unsigned i = 0; i < address_size(a->family); i++)
                r.data[i] |= (unsigned char)~mask_of(a->prefix, i);
        return r;
}

struct link_address address_add(const struct link_address *a, uint64_t n)
{
        struct link_address r = *a;

        for (size_t i = address_size(a->family); i-- > 0 && n;) {
                n += r.data[i];
                r.data[i] = (unsigned char)n;
                n >>= 8;
        }
        return r;
}

bool address_within(const struct link_address *net, const struct link_address *a)
{
        struct link_address x = *a;

        if (net->family != a->family)
                return false;
        x.prefix = net->prefix;
        x = address_network(&x);
        return memcmp(x.data, address_network(net).data, address_size(net->family)) == 0;
}

bool address_overlap(const struct link_address *a, const struct link_address *b)
{
        return a->prefix <= b->prefix ? address_within(a, b) : address_within(b, a);
}
