/* inodes.c - see inodes.h: open addressing, at most half full. */
#include "store/inodes.h"

#include "base/mem.h"
#include "base/str.h"

struct inode {
        dev_t dev;
        ino_t ino;
        char *path; /* NULL: free slot */
};

void inodes_done(struct inodes *s)
{
        for (size_t i = 0; i < s->room; i++)
                free(s->slots[i].path);
        free(s->slots);
        *s = (struct inodes){0};
}

static struct inode *slot(struct inode *slots, size_t room, dev_t dev, ino_t ino)
{
        size_t i = (size_t)(((uint64_t)ino * 0x9e3779b97f4a7c15ull) ^ (uint64_t)dev) & (room - 1);

        while (slots[i].path && (slots[i].ino != ino || slots[i].dev != dev))
                i = (i + 1) & (room - 1);
        return &slots[i];
}

static err *grow(struct inodes *s)
{
        size_t room = s->room ? s->room * 2 : 64;
        struct inode *slots = MEM_NEW0(struct inode, room);

        if (!slots)
                return err_nomem();
        for (size_t i = 0; i < s->room; i++)
                if (s->slots[i].path)
                        *slot(slots, room, s->slots[i].dev, s->slots[i].ino) = s->slots[i];
        free(s->slots);
        s->slots = slots;
        s->room = room;
        return NULL;
}

err *inodes_seen(struct inodes *s, const struct stat *st, const char *path, const char **ret)
{
        struct inode *i;

        if (2 * (s->n + 1) > s->room)
                TRY(grow(s));
        i = slot(s->slots, s->room, st->st_dev, st->st_ino);
        *ret = i->path;
        if (i->path)
                return NULL;
        i->path = str_dup(path);
        if (!i->path)
                return err_nomem();
        i->dev = st->st_dev;
        i->ino = st->st_ino;
        s->n++;
        return NULL;
}

bool inodes_has(const struct inodes *s, const struct stat *st)
{
        return s->n && slot(s->slots, s->room, st->st_dev, st->st_ino)->path;
}
