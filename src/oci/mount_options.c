/* mount_options.c - see mount_options.h. The table is in alphabetical order: it is searched by bisection. */
#include "oci/mount_options.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "base/str.h"

/* <sys/mount.h> and <linux/mount.h> of Debian 12 agree on most names; these are newer or in one of them only. */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MOUNT_ATTR_RELATIME
#define MOUNT_ATTR_RELATIME 0
#endif

#define DATA_MAX 4095 /* mount(2) copies one page */

enum action {
        NOTHING,
        SET,      /* flag and attribute on */
        CLEAR,    /* off */
        ATIME,    /* choose the access time mode */
        NO_ATIME, /* leave that mode if it is the chosen one */
        REC_SET,  /* the same for the whole tree below */
        REC_CLEAR,
        REC_ATIME,
        REC_NO_ATIME,
        PROPAGATION,
        BIND,
        IDMAP,
        FIELD, /* a bool of the result, at offset `ms` */
};

struct option {
        const char *name;
        enum action action;
        unsigned long ms;
        uint64_t attr;
};

#define FIELD_OF(member) FIELD, offsetof(struct mount_options, member), 0

static const struct option table[] = {
        {"async", CLEAR, MS_SYNCHRONOUS, 0},
        {"atime", NO_ATIME, MS_NOATIME, MOUNT_ATTR_NOATIME},
        {"bind", BIND, MS_BIND, 0},
        {"copy-symlink", FIELD_OF(copy_symlink)},
        {"defaults", NOTHING, 0, 0},
        {"dest-nofollow", FIELD_OF(dest_nofollow)},
        {"dev", CLEAR, MS_NODEV, MOUNT_ATTR_NODEV},
        {"diratime", CLEAR, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
        {"dirsync", SET, MS_DIRSYNC, 0},
        {"exec", CLEAR, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
        {"idmap", IDMAP, MOUNT_IDMAP_ONE, 0},
        {"iversion", SET, MS_I_VERSION, 0},
        {"lazytime", SET, MS_LAZYTIME, 0},
        {"loud", CLEAR, MS_SILENT, 0},
        {"mand", SET, MS_MANDLOCK, 0},
        {"noatime", ATIME, MS_NOATIME, MOUNT_ATTR_NOATIME},
        {"nodev", SET, MS_NODEV, MOUNT_ATTR_NODEV},
        {"nodiratime", SET, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
        {"noexec", SET, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
        {"noiversion", CLEAR, MS_I_VERSION, 0},
        {"nolazytime", CLEAR, MS_LAZYTIME, 0},
        {"nomand", CLEAR, MS_MANDLOCK, 0},
        {"norelatime", NO_ATIME, MS_RELATIME, MOUNT_ATTR_RELATIME},
        {"nostrictatime", NO_ATIME, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
        {"nosuid", SET, MS_NOSUID, MOUNT_ATTR_NOSUID},
        {"nosymfollow", SET, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
        {"private", PROPAGATION, MS_PRIVATE, 0},
        {"ratime", REC_NO_ATIME, 0, MOUNT_ATTR_NOATIME},
        {"rbind", BIND, MS_BIND | MS_REC, 0},
        {"rdev", REC_CLEAR, 0, MOUNT_ATTR_NODEV},
        {"rdiratime", REC_CLEAR, 0, MOUNT_ATTR_NODIRATIME},
        {"relatime", ATIME, MS_RELATIME, MOUNT_ATTR_RELATIME},
        {"remount", SET, MS_REMOUNT, 0},
        {"rexec", REC_CLEAR, 0, MOUNT_ATTR_NOEXEC},
        {"ridmap", IDMAP, MOUNT_IDMAP_RECURSIVE, 0},
        {"rnoatime", REC_ATIME, 0, MOUNT_ATTR_NOATIME},
        {"rnodev", REC_SET, 0, MOUNT_ATTR_NODEV},
        {"rnodiratime", REC_SET, 0, MOUNT_ATTR_NODIRATIME},
        {"rnoexec", REC_SET, 0, MOUNT_ATTR_NOEXEC},
        {"rnorelatime", REC_NO_ATIME, 0, MOUNT_ATTR_RELATIME},
        {"rnostrictatime", REC_NO_ATIME, 0, MOUNT_ATTR_STRICTATIME},
        {"rnosuid", REC_SET, 0, MOUNT_ATTR_NOSUID},
        {"rnosymfollow", REC_SET, 0, MOUNT_ATTR_NOSYMFOLLOW},
        {"ro", SET, MS_RDONLY, MOUNT_ATTR_RDONLY},
        {"rprivate", PROPAGATION, MS_PRIVATE | MS_REC, 0},
        {"rrelatime", REC_ATIME, 0, MOUNT_ATTR_RELATIME},
        {"rro", REC_SET, 0, MOUNT_ATTR_RDONLY},
        {"rrw", REC_CLEAR, 0, MOUNT_ATTR_RDONLY},
        {"rshared", PROPAGATION, MS_SHARED | MS_REC, 0},
        {"rslave", PROPAGATION, MS_SLAVE | MS_REC, 0},
        {"rstrictatime", REC_ATIME, 0, MOUNT_ATTR_STRICTATIME},
        {"rsuid", REC_CLEAR, 0, MOUNT_ATTR_NOSUID},
        {"rsymfollow", REC_CLEAR, 0, MOUNT_ATTR_NOSYMFOLLOW},
        {"runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC, 0},
        {"rw", CLEAR, MS_RDONLY, MOUNT_ATTR_RDONLY},
        {"shared", PROPAGATION, MS_SHARED, 0},
        {"silent", SET, MS_SILENT, 0},
        {"slave", PROPAGATION, MS_SLAVE, 0},
        {"src-nofollow", FIELD_OF(src_nofollow)},
        {"strictatime", ATIME, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
        {"suid", CLEAR, MS_NOSUID, MOUNT_ATTR_NOSUID},
        {"symfollow", CLEAR, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
        {"sync", SET, MS_SYNCHRONOUS, 0},
        {"tmpcopyup", FIELD_OF(tmpcopyup)},
        {"unbindable", PROPAGATION, MS_UNBINDABLE, 0},
};

#define SB_FLAGS (MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME | MS_I_VERSION | MS_MANDLOCK | MS_SILENT)
#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

static int option_compare(const void *key, const void *element)
{
        return strcmp(key, ((const struct option *)element)->name);
}

static const struct option *option_find(const char *name)
{
        return bsearch(name, table, ARRAY_SIZE(table), sizeof(table[0]), option_compare);
}

/* Turn an attribute on or off in a pair of sets; the later option wins. */
static void attr_change(uint64_t *on, uint64_t *off, uint64_t attr, bool set)
{
        *(set ? on : off) |= attr;
        *(set ? off : on) &= ~attr;
}

/* The access time mode is a field, not bits: the kernel wants the whole field cleared when one is chosen. */
static void atime_choose(uint64_t *on, uint64_t *off, uint64_t mode)
{
        *on = (*on & ~(uint64_t)MOUNT_ATTR__ATIME) | mode;
        *off |= MOUNT_ATTR__ATIME;
}

/* "atime" after "noatime" takes the choice back; alone it has nothing to undo: what a bind mount's source has stays, as
 * with mount(8) and runc. */
static void atime_leave(uint64_t *on, uint64_t *off, uint64_t mode)
{
        if (!(*off & MOUNT_ATTR__ATIME) || (*on & MOUNT_ATTR__ATIME) != mode)
                return;
        *on &= ~(uint64_t)MOUNT_ATTR__ATIME;
        *off &= ~(uint64_t)MOUNT_ATTR__ATIME;
}

/* In a whole tree "ratime" undoes "noatime" of the sources too; "rnorelatime" has nothing to undo. */
static void atime_leave_tree(uint64_t *on, uint64_t *off, uint64_t mode)
{
        if (mode == MOUNT_ATTR_NOATIME || (mode != MOUNT_ATTR_RELATIME && (*on & MOUNT_ATTR__ATIME) == mode))
                atime_choose(on, off, MOUNT_ATTR_RELATIME);
}

/* The same word twice says nothing new: there are eight of them, and more than a few changes make no sense. */
static bool propagation_add(struct mount_options *r, unsigned long ms)
{
        if (r->propagation != ms) {
                if (r->n_propagations == MOUNT_PROPAGATIONS_MAX)
                        return false;
                r->propagations[r->n_propagations++] = ms;
        }
        r->propagation = ms;
        return true;
}

static void option_apply(struct mount_options *r, const struct option *o)
{
        switch (o->action) {
        case NOTHING:
                break;
        case ATIME:
                r->flags &= ~ATIME_FLAGS;
                r->flags |= o->ms;
                r->flags_clear &= ~o->ms;
                atime_choose(&r->attr_set, &r->attr_clear, o->attr);
                break;
        case NO_ATIME:
                r->flags &= ~o->ms;
                r->flags_clear |= o->ms;
                atime_leave(&r->attr_set, &r->attr_clear, o->attr);
                break;
        case SET:
        case CLEAR:
                if (o->action == SET) {
                        r->flags |= o->ms;
                        r->flags_clear &= ~o->ms;
                } else {
                        r->flags &= ~o->ms;
                        r->flags_clear |= o->ms;
                }
                attr_change(&r->attr_set, &r->attr_clear, o->attr, o->action == SET);
                break;
        case REC_SET:
        case REC_CLEAR:
                attr_change(&r->rec_set, &r->rec_clear, o->attr, o->action == REC_SET);
                break;
        case REC_ATIME:
                atime_choose(&r->rec_set, &r->rec_clear, o->attr);
                break;
        case REC_NO_ATIME:
                atime_leave_tree(&r->rec_set, &r->rec_clear, o->attr);
                break;
        case PROPAGATION: /* see propagation_add() */
                break;
        case BIND:
                r->flags &= ~(unsigned long)MS_REC;
                r->flags |= o->ms;
                r->is_bind = true;
                break;
        case IDMAP:
                r->idmap = (enum mount_idmap)o->ms;
                break;
        case FIELD:
                *(bool *)((char *)r + o->ms) = true;
                break;
        }
}

err *mount_options_parse(char *const *options, struct mount_options *ret)
{
        _cleanup_mount_options_ struct mount_options r = {0};
        size_t size = 0;

        for (size_t i = 0; options && options[i]; i++) {
                const struct option *o = option_find(options[i]);

                if (o && o->action == PROPAGATION && !propagation_add(&r, o->ms))
                        return err_new(ERR_LIMIT, "more than %d mount propagation options", MOUNT_PROPAGATIONS_MAX);
                if (o) {
                        option_apply(&r, o);
                        continue;
                }
                if (!*options[i] || *options[i] == '=')
                        return err_new(ERR_INVALID, "mount option %zu has no name", i);
                if (str_starts(options[i], "idmap=") || str_starts(options[i], "ridmap="))
                        return err_new(ERR_UNSUPPORTED, "mount option \"%s\": give uidMappings and gidMappings",
                                       options[i]);
                size += strlen(options[i]) + 1;
                if (size > DATA_MAX)
                        return err_new(ERR_LIMIT, "mount options are longer than %d bytes", DATA_MAX);
                TRY(strv_add(&r.data_list, options[i]));
        }
        r.sb_flags = r.flags & SB_FLAGS;
        if (r.data_list) {
                r.data = strv_join(r.data_list, ",");
                if (!r.data)
                        return err_nomem();
        }
        *ret = r;
        r = (struct mount_options){0};
        return NULL;
}

void mount_options_done(struct mount_options *o)
{
        strv_free(o->data_list);
        free(o->data);
        *o = (struct mount_options){0};
}

const char *mount_options_name(size_t i)
{
        for (size_t k = 0; k < ARRAY_SIZE(table); k++)
                if (table[k].action != IDMAP && i-- == 0)
                        return table[k].name;
        return NULL;
}

bool mount_options_known(const char *name)
{
        return option_find(name) != NULL;
}

bool mount_options_propagation(const char *name, unsigned long *ret)
{
        const struct option *o = option_find(name);

        if (!o || o->action != PROPAGATION)
                return false;
        *ret = o->ms;
        return true;
}
