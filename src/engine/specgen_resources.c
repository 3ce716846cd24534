/* specgen_resources.c - limits and devices of the spec. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/defaults.h"
#include "engine/specgen.h"

#define DEV_DEPTH 16 /* directories below /dev that --privileged or --device DIR descends into */

static json *resources(json *spec)
{
        return json_sub_object(specgen_linux(spec), "resources");
}

static void set_if(json *to, const char *key, const json *host, const char *from)
{
        int64_t n = json_get_int(host, from, 0);

        if (n)
                json_set_int(to, key, n);
}

static void add_memory(json *spec, const json *host)
{
        json *memory = json_sub_object(resources(spec), "memory");

        set_if(memory, "limit", host, "Memory");
        set_if(memory, "reservation", host, "MemoryReservation");
        set_if(memory, "swap", host, "MemorySwap");
        if (json_kind(json_get(host, "MemorySwappiness")) == JSON_INT &&
            json_get_int(host, "MemorySwappiness", -1) >= 0)
                json_set_int(memory, "swappiness", json_get_int(host, "MemorySwappiness", 0));
        if (json_get_bool(host, "OomKillDisable", false))
                json_set_bool(memory, "disableOOMKiller", true);
}

static void add_cpu(json *spec, const json *host)
{
        json *cpu = json_sub_object(resources(spec), "cpu");
        int64_t nano = json_get_int(host, "NanoCpus", 0);

        set_if(cpu, "shares", host, "CpuShares");
        set_if(cpu, "period", host, "CpuPeriod");
        set_if(cpu, "quota", host, "CpuQuota");
        set_if(cpu, "realtimePeriod", host, "CpuRealtimePeriod");
        set_if(cpu, "realtimeRuntime", host, "CpuRealtimeRuntime");
        if (nano) {
                json_set_int(cpu, "period", 100000);
                json_set_int(cpu, "quota", nano * 100000 / 1000000000);
        }
        if (!str_empty(json_get_str(host, "CpusetCpus")))
                json_set_str(cpu, "cpus", json_get_str(host, "CpusetCpus"));
        if (!str_empty(json_get_str(host, "CpusetMems")))
                json_set_str(cpu, "mems", json_get_str(host, "CpusetMems"));
}

static err *add_throttle(json *blkio, const char *key, const json *host, const char *from)
{
        const json *list = json_get(host, from);

        for (size_t i = 0; i < json_len(list); i++) {
                const char *path = json_get_str_or(json_at(list, i), "Path", "");
                json *entry;
                struct stat st;

                if (stat(path, &st) < 0)
                        return err_sys(errno, "stat %s", path);
                entry = json_new_object();
                json_set_int(entry, "major", major(st.st_rdev));
                json_set_int(entry, "minor", minor(st.st_rdev));
                json_set(entry, "rate", json_new_uint(json_get_uint(json_at(list, i), "Rate", 0)));
                json_add(json_sub_array(blkio, key), entry);
        }
        return NULL;
}

static err *add_blkio(json *spec, const json *host)
{
        json *blkio = json_sub_object(resources(spec), "blockIO");

        set_if(blkio, "weight", host, "BlkioWeight");
        TRY(add_throttle(blkio, "throttleReadBpsDevice", host, "BlkioDeviceReadBps"));
        TRY(add_throttle(blkio, "throttleWriteBpsDevice", host, "BlkioDeviceWriteBps"));
        TRY(add_throttle(blkio, "throttleReadIOPSDevice", host, "BlkioDeviceReadIOps"));
        return add_throttle(blkio, "throttleWriteIOPSDevice", host, "BlkioDeviceWriteIOps");
}

err *specgen_resources(json *spec, const json *record)
{
        const json *host = json_get(record, "HostConfig"), *pids = json_get(host, "PidsLimit");

        add_memory(spec, host);
        add_cpu(spec, host);
        TRY(add_blkio(spec, host));
        if (json_kind(pids) == JSON_INT && json_int(pids, 0) != 0)
                json_set_int(json_sub_object(resources(spec), "pids"), "limit", json_int(pids, 0));
        return NULL;
}

static void add_rule(json *spec, bool allow, const char *type, int64_t maj, int64_t min, const char *access)
{
        json *rule = json_new_object();

        json_set_bool(rule, "allow", allow);
        if (type)
                json_set_str(rule, "type", type);
        if (maj >= 0)
                json_set_int(rule, "major", maj);
        if (min >= 0)
                json_set_int(rule, "minor", min);
        json_set_str(rule, "access", access);
        json_add(json_sub_array(resources(spec), "devices"), rule);
}

static void add_device(json *spec, const char *path, const struct stat *st)
{
        json *device = json_new_object();

        json_set_str(device, "path", path);
        json_set_str(device, "type", S_ISBLK(st->st_mode) ? "b" : "c");
        json_set_int(device, "major", major(st->st_rdev));
        json_set_int(device, "minor", minor(st->st_rdev));
        json_set_int(device, "fileMode", st->st_mode & 07777);
        json_set_int(device, "uid", st->st_uid);
        json_set_int(device, "gid", st->st_gid);
        json_add(json_sub_array(specgen_linux(spec), "devices"), device);
}

/* Every device below the host directory @dirfd appears below @inside. With @access NULL no rules are added
 * (--privileged has one for everything). */
static err *add_device_tree(json *spec, int dirfd, const char *inside, const char *access, int depth)
{
        static const char *const skip[] = {"pts",  "shm",         "fd",    "mqueue", "console",
                                           ".lxc", ".lxd-mounts", ".udev", NULL};
        _cleanup_close_ int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *d;
        err *e = NULL;
        DIR *dir;

        dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir)
                return err_sys(errno, "reading devices below %s", inside);
        copy = -1;
        while (!e && (d = readdir(dir))) {
                _cleanup_free_ char *path = NULL;
                _cleanup_close_ int sub = -1;
                bool skipped = d->d_name[0] == '.' && (!d->d_name[1] || (d->d_name[1] == '.' && !d->d_name[2]));
                struct stat st;

                for (const char *const *s = skip; *s && depth == DEV_DEPTH; s++)
                        skipped |= strcmp(*s, d->d_name) == 0;
                if (skipped || fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                path = str_format("%s/%s", inside, d->d_name);
                if (!path) {
                        e = err_nomem();
                } else if (S_ISDIR(st.st_mode) && depth > 0) {
                        sub = openat(dirfd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        if (sub >= 0)
                                e = add_device_tree(spec, sub, path, access, depth - 1);
                } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
                        if (S_ISCHR(st.st_mode) && major(st.st_rdev) == 0 && minor(st.st_rdev) == 0)
                                continue; /* an overlay whiteout */
                        add_device(spec, path, &st);
                        if (access)
                                add_rule(spec, true, S_ISBLK(st.st_mode) ? "b" : "c", major(st.st_rdev),
                                         minor(st.st_rdev), access);
                }
        }
        (void)closedir(dir);
        return e;
}

static err *add_given(json *spec, const json *device)
{
        const char *from = json_get_str_or(device, "PathOnHost", ""),
                   *to = json_get_str_or(device, "PathInContainer", from);
        const char *access = json_get_str_or(device, "CgroupPermissions", "rwm");
        struct stat st;

        if (stat(from, &st) < 0)
                return err_new(errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID,
                               "error gathering device information while adding custom device \"%s\": %s", from,
                               errno == ENOENT ? "no such file or directory" : strerror(errno));
        if (S_ISDIR(st.st_mode)) {
                _cleanup_close_ int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd < 0)
                        return err_sys(errno, "opening device directory %s", from);
                return add_device_tree(spec, fd, to, access, DEV_DEPTH);
        }
        if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
                return err_new(
                        ERR_INVALID,
                        "error gathering device information while adding custom device \"%s\": not a device node",
                        from);
        add_device(spec, to, &st);
        add_rule(spec, true, S_ISBLK(st.st_mode) ? "b" : "c", major(st.st_rdev), minor(st.st_rdev), access);
        return NULL;
}

err *specgen_devices(json *spec, const json *record)
{
        const json *host = json_get(record, "HostConfig"), *list = json_get(host, "Devices");

        if (json_get_bool(host, "Privileged", false)) {
                _cleanup_close_ int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (dev < 0)
                        return err_sys(errno, "opening /dev");
                add_rule(spec, true, NULL, -1, -1, "rwm");
                TRY(add_device_tree(spec, dev, "/dev", NULL, DEV_DEPTH));
        } else {
                add_rule(spec, false, NULL, -1, -1, "rwm");
                for (size_t i = 0; i < defaults_n_devices; i++) {
                        const struct default_device *d = &defaults_devices[i];
                        char type[2] = {d->type, '\0'};

                        add_rule(spec, true, type, d->major, d->minor, d->access);
                }
        }
        for (size_t i = 0; i < json_len(list); i++)
                TRY(add_given(spec, json_at(list, i)));
        return NULL;
}
