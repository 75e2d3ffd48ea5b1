
/* What /proc tells of a process: its CPU, its waiting for one, its memory */


#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rig.h>


static FILE *rig_process_open(pid_t pid, const char *name);
static int rig_process_ticks(rig_process_t *process, pid_t pid);


/*
 * schedstat counts nanoseconds, where the kernel has it; stat counts ticks of
 * usually 10 ms.  Both are of the main thread and a worker's is where it all
 * happens.
 */

int
rig_process(rig_process_t *process, pid_t pid, unsigned memory)
{
    int                  n;
    char                 line[256];
    FILE                *file;
    unsigned long        kilobytes;
    unsigned long long   cpu, waited;

    memset(process, 0, sizeof(rig_process_t));

    n = 0;
    file = rig_process_open(pid, "schedstat");

    if (file) {
        n = fscanf(file, "%llu %llu", &cpu, &waited);
        fclose(file);
    }

    if (n == 2 && cpu) {
        process->cpu = cpu;
        process->waited = waited;

    } else if (rig_process_ticks(process, pid) != VB_OK) {
        return VB_ERROR;
    }

    if (!memory) {
        return VB_OK;
    }

    file = rig_process_open(pid, "smaps_rollup");
    if (file == NULL) {
        return VB_ERROR;
    }

    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Private_Dirty: %lu", &kilobytes) == 1) {
            process->dirty = kilobytes * 1024;
        }
    }

    fclose(file);

    return VB_OK;
}


static FILE *
rig_process_open(pid_t pid, const char *name)
{
    char  path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);

    return fopen(path, "r");
}


static int
rig_process_ticks(rig_process_t *process, pid_t pid)
{
    char            *p, line[1024];
    FILE            *file;
    unsigned long    user, system;

    file = rig_process_open(pid, "stat");
    if (file == NULL) {
        return VB_ERROR;
    }

    p = fgets(line, sizeof(line), file);
    fclose(file);

    /* the name, in brackets, may hold anything; fields 14 and 15 are wanted */

    p = p ? strrchr(line, ')') : NULL;

    if (p == NULL
        || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
                  " %lu %lu", &user, &system)
           != 2)
    {
        return VB_ERROR;
    }

    process->cpu = (user + system) * (1000000000ULL / sysconf(_SC_CLK_TCK));

    return VB_OK;
}
