
/*
 * Appending lines to files.  The files are nginx's own list of open ones, so
 * they are created, given to the workers' user and reopened as its logs are.
 */


#include <ngx_http_voicebridge_lines.h>
#include <ngx_http_voicebridge_zone.h>


typedef struct {
    ngx_open_file_t                   *file;
    ngx_http_voicebridge_main_conf_t  *main;
    u_char                            *buf;    /* its first byte is kept for
                                                  the end of a torn line */
    u_char                            *last;
    u_char                            *end;
    ngx_event_t                        timer;
    ngx_connection_t                   dummy;  /* what timer.data looks like */
    ngx_uint_t                         lost;   /* lines since it failed */
    unsigned                           failed:1;
    unsigned                           torn:1; /* the file ends within a line */
} ngx_http_voicebridge_lines_t;


static char *ngx_http_voicebridge_lines_create(ngx_conf_t *cf,
    ngx_open_file_t *file);
static void ngx_http_voicebridge_lines_flush_handler(ngx_open_file_t *file,
    ngx_log_t *log);
static void ngx_http_voicebridge_lines_timer_handler(ngx_event_t *ev);
static void ngx_http_voicebridge_lines_cleanup(void *data);
static void ngx_http_voicebridge_lines_write(ngx_http_voicebridge_lines_t *l,
    u_char *data, size_t len, ngx_log_t *log);
static void ngx_http_voicebridge_lines_cut(ngx_http_voicebridge_lines_t *l,
    off_t size, size_t written, size_t torn);
static void ngx_http_voicebridge_lines_lost(ngx_http_voicebridge_lines_t *l,
    u_char *data, size_t len, ngx_err_t err, ngx_log_t *log);


char *
ngx_http_voicebridge_lines_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t         *value;
    ngx_open_file_t  **file;

    file = (ngx_open_file_t **) (p + cmd->offset);

    if (*file != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        *file = NULL;
        return NGX_CONF_OK;
    }

    if (value[1].len == 0 || ngx_strchr(value[1].data, '$') != NULL
        || ngx_strncmp(value[1].data, "syslog:", sizeof("syslog:") - 1) == 0)
    {
        return "must be a file without variables, or \"off\"";
    }

    *file = ngx_conf_open_file(cf->cycle, &value[1]);
    if (*file == NULL) {
        return NGX_CONF_ERROR;
    }

    if ((*file)->flush == ngx_http_voicebridge_lines_flush_handler) {
        return NGX_CONF_OK;
    }

    if ((*file)->flush) {
        return "is a file that another directive writes to";
    }

    return ngx_http_voicebridge_lines_create(cf, *file);
}


static char *
ngx_http_voicebridge_lines_create(ngx_conf_t *cf, ngx_open_file_t *file)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_voicebridge_lines_t  *l;

    l = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_lines_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (l == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    l->buf = ngx_pnalloc(cf->pool, 1 + NGX_HTTP_VOICEBRIDGE_LINES_BUFFER);
    if (l->buf == NULL) {
        return NGX_CONF_ERROR;
    }

    l->file = file;
    l->main = ngx_http_conf_get_module_main_conf(cf,
                                                 ngx_http_voicebridge_module);
    l->last = l->buf + 1;
    l->end = l->last + NGX_HTTP_VOICEBRIDGE_LINES_BUFFER;

    l->dummy.data = l;
    l->dummy.fd = (ngx_socket_t) -1;

    l->timer.handler = ngx_http_voicebridge_lines_timer_handler;
    l->timer.data = &l->dummy;

    /* nginx writes what is left when a worker exits */

    l->timer.cancelable = 1;

    cln->handler = ngx_http_voicebridge_lines_cleanup;
    cln->data = l;

    file->flush = ngx_http_voicebridge_lines_flush_handler;
    file->data = l;

    return NGX_CONF_OK;
}


void
ngx_http_voicebridge_lines_add(ngx_open_file_t *file, u_char *line, size_t len)
{
    ngx_http_voicebridge_lines_t  *l;

    l = file->data;

    if (len > (size_t) (l->end - l->last)) {
        ngx_http_voicebridge_lines_flush(file);
    }

    if (len > (size_t) (l->end - l->last)) {
        ngx_http_voicebridge_lines_write(l, line, len, ngx_cycle->log);
        return;
    }

    l->last = ngx_cpymem(l->last, line, len);

    if (!l->timer.timer_set) {
        l->timer.log = ngx_cycle->log;
        ngx_add_timer(&l->timer, NGX_HTTP_VOICEBRIDGE_LINES_FLUSH);
    }
}


void
ngx_http_voicebridge_lines_flush(ngx_open_file_t *file)
{
    ngx_http_voicebridge_lines_flush_handler(file, ngx_cycle->log);
}


static void
ngx_http_voicebridge_lines_flush_handler(ngx_open_file_t *file, ngx_log_t *log)
{
    size_t                         len;
    ngx_http_voicebridge_lines_t  *l;

    l = file->data;
    len = l->last - (l->buf + 1);

    l->last = l->buf + 1;

    if (l->timer.timer_set) {
        ngx_del_timer(&l->timer);
    }

    if (len) {
        ngx_http_voicebridge_lines_write(l, l->buf + 1, len, log);
    }
}


static void
ngx_http_voicebridge_lines_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t              *dummy;
    ngx_http_voicebridge_lines_t  *l;

    dummy = ev->data;
    l = dummy->data;

    ngx_http_voicebridge_lines_flush(l->file);
}


/* a reload without a master, in which the timer would outlive its file */

static void
ngx_http_voicebridge_lines_cleanup(void *data)
{
    ngx_http_voicebridge_lines_t *l = data;

    if (l->timer.timer_set) {
        ngx_del_timer(&l->timer);
    }
}


/*
 * One write() on a file opened with O_APPEND: what workers write at the same
 * time is never mixed.
 */

static void
ngx_http_voicebridge_lines_write(ngx_http_voicebridge_lines_t *l, u_char *data,
    size_t len, ngx_log_t *log)
{
    size_t           whole;
    ssize_t          n;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    if (l->torn) {

        /* so that it spoils no other line */

        n = write(l->file->fd, "\n", 1);
        l->torn = (n != 1);
    }

    if (ngx_fd_info(l->file->fd, &fi) == NGX_FILE_ERROR) {
        ngx_file_size(&fi) = -1;
    }

    do {
        n = write(l->file->fd, data, len);
        err = (n == -1) ? ngx_errno : NGX_ENOSPC;
    } while (n == -1 && err == NGX_EINTR);

    if (n == (ssize_t) len) {

        if (l->failed) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "\"%V\" is written to again, %ui lines were lost",
                          &l->file->name, l->lost);
            l->failed = 0;
            l->lost = 0;
        }

        return;
    }

    whole = 0;

    if (n > 0) {
        whole = n;

        while (whole && data[whole - 1] != LF) {
            whole--;
        }

        ngx_http_voicebridge_lines_cut(l, ngx_file_size(&fi), n, n - whole);
    }

    ngx_http_voicebridge_lines_lost(l, data + whole, len - whole, err, log);
}


/*
 * The disk became full within a line.  Its beginning is taken away again,
 * unless another worker has written meanwhile.
 */

static void
ngx_http_voicebridge_lines_cut(ngx_http_voicebridge_lines_t *l, off_t size,
    size_t written, size_t torn)
{
    ngx_file_info_t  fi;

    if (torn == 0) {
        return;
    }

    if (ngx_fd_info(l->file->fd, &fi) != NGX_FILE_ERROR
        && ngx_file_size(&fi) == size + (off_t) written
        && ftruncate(l->file->fd, size + written - torn) == 0)
    {
        return;
    }

    l->torn = 1;
}


static void
ngx_http_voicebridge_lines_lost(ngx_http_voicebridge_lines_t *l, u_char *data,
    size_t len, ngx_err_t err, ngx_log_t *log)
{
    u_char      *p, *last;
    ngx_uint_t   n;

    n = 0;
    last = data + len;

    for (p = data; p < last; p++) {
        p = ngx_strlchr(p, last, LF);

        if (p == NULL) {
            break;
        }

        n++;
    }

    l->lost += n;

    if (l->main->zone) {
        (void) ngx_atomic_fetch_add(
                 &ngx_http_voicebridge_zone_stats(l->main->zone)->lines_lost,
                 n);
    }

    if (l->failed) {
        return;
    }

    l->failed = 1;

    ngx_log_error(NGX_LOG_CRIT, log, err,
                  "write to \"%V\" failed, its lines are lost until that "
                  "works again, calls go on", &l->file->name);
}
