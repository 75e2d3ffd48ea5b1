
/* The rig's command line; rig.c says what it may have */


#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rig.h>


static int rig_option(rig_t *rig, int c);


int
rig_options(rig_t *rig, int argc, char **argv)
{
    int       c;
    vb_str_t  name;

    rig->listen = -1;
    rig->format_name = "ulaw_8000";
    rig->ncalls = 100;
    rig->seconds = 8;
    rig->turns = 1;

    while ((c = getopt(argc, argv, "p:l:w:rs:k:f:c:t:b:x:")) != -1) {
        if (rig_option(rig, c) != VB_OK) {
            return VB_ERROR;
        }
    }

    name.data = (u_char *) rig->format_name;
    name.len = strlen(rig->format_name);

    if (rig->port == 0 || rig->listen == -1 || rig->pid == 0
        || rig->ncalls <= RIG_FIRST_CALLS || rig->seconds <= 0
        || (rig->tls && rig->key == NULL) || rig->turn >= rig->turns)
    {
        return VB_ERROR;
    }

    return vb_audio_format_parse(&rig->format, &name);
}


static int
rig_option(rig_t *rig, int c)
{
    switch (c) {

    case 'p':
        rig->port = atoi(optarg);
        break;

    case 'l':
        rig->listen = atoi(optarg);
        break;

    case 'w':
        rig->pid = atoi(optarg);
        break;

    case 'r':
        rig->relay = 1;
        break;

    case 's':
        rig->tls = 1;
        rig->certificate = optarg;
        break;

    case 'k':
        rig->key = optarg;
        break;

    case 'f':
        rig->format_name = optarg;
        break;

    case 'c':
        rig->ncalls = atoi(optarg);
        break;

    case 't':
        rig->seconds = atof(optarg);
        break;

    case 'b':
        rig->big = strtoul(optarg, NULL, 10);
        break;

    case 'x':
        if (sscanf(optarg, "%u/%u", &rig->turn, &rig->turns) != 2) {
            return VB_ERROR;
        }

        break;

    default:
        return VB_ERROR;
    }

    return VB_OK;
}
