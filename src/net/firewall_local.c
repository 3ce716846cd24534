/* firewall_local.c - the addresses of devices on which ports are published: what the host sends to one of its own comes
 * by no device, so the table has to know which one an address is of. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter.h> /* after the C library's */

#include "base/str.h"
#include "net/firewall_private.h"

#define IFNAME_SIZE 16

/* Whoever had the address before has it no more. */
static int note_address(int fd, const char *set, const void *address, size_t size, const char *link)
{
        char name[IFNAME_SIZE] = "", comment[NFT_COMMENT_MAX + 1];
        struct nft_element e = {.key = address, .key_size = size, .data = name, .data_size = sizeof(name)};
        _cleanup_nft_ struct nft n;
        int known;

        known = nft_element_get(fd, NFPROTO_INET, FIREWALL_TABLE, set, address, size, comment);
        if (known < 0)
                return known;
        memcpy(name, link, strnlen(link, sizeof(name) - 1));
        nft_begin(&n, NFPROTO_INET);
        if (known)
                nft_element_delete(&n, FIREWALL_TABLE, set, &(struct nft_element){.key = address, .key_size = size});
        nft_element_add(&n, FIREWALL_TABLE, set, &e);
        return nft_commit(fd, &n, NULL);
}

static bool is_published_on(const char *link, const struct firewall_port *ports, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (ports[i].link && str_eq(ports[i].link, link))
                        return true;
        return false;
}

static int note(int fd, const struct ifaddrs *a)
{
        const struct sockaddr_in6 *six = (const void *)a->ifa_addr;
        const struct sockaddr_in *four = (const void *)a->ifa_addr;

        if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET)
                return note_address(fd, "links4", &four->sin_addr, sizeof(four->sin_addr), a->ifa_name);
        /* fe80::1 may be the address of many. */
        if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
                return note_address(fd, "links6", &six->sin6_addr, sizeof(six->sin6_addr), a->ifa_name);
        return 0;
}

err *firewall_note_links(int fd, const struct firewall_port *ports, size_t n)
{
        struct ifaddrs *all;
        bool any = false;
        int r = 0;

        for (size_t i = 0; i < n; i++)
                any |= ports[i].link != NULL;
        if (!any)
                return NULL;
        if (getifaddrs(&all) < 0)
                return err_sys(errno, "reading the host's addresses");
        for (const struct ifaddrs *a = all; a && r >= 0; a = a->ifa_next)
                if (is_published_on(a->ifa_name, ports, n))
                        r = note(fd, a);
        freeifaddrs(all);
        return r < 0 ? err_sys(-r, "writing down the addresses of network devices in the firewall") : NULL;
}
