
/*
 * Files on disk, each of one process at a time.
 *
 * Files are small and few, a handful a call.  To make one may take a busy disk
 * tens of milliseconds, and is done in a thread where nginx has them; to read
 * and to remove one takes some microseconds, on the event loop.
 */


#include <ngx_http_voicebridge_spool.h>

#include <sys/file.h>


/* a worker's directory, its lock, and a file that is not whole yet */
#define NGX_HTTP_VOICEBRIDGE_SPOOL_PREFIX  "worker-"
#define NGX_HTTP_VOICEBRIDGE_SPOOL_LOCK    "lock"
#define NGX_HTTP_VOICEBRIDGE_SPOOL_TEMP    "tmp-"

#define NGX_HTTP_VOICEBRIDGE_SPOOL_TRIES   16


static ngx_fd_t ngx_http_voicebridge_spool_lock(u_char *dir, int flags);
static ngx_http_voicebridge_spool_t *ngx_http_voicebridge_spool_take(
    u_char *path, ngx_array_t *names, ngx_log_t *log);
static ngx_int_t ngx_http_voicebridge_spool_list(u_char *path,
    ngx_array_t *names, ngx_log_t *log);
static int ngx_libc_cdecl ngx_http_voicebridge_spool_cmp(const void *one,
    const void *two);
static void ngx_http_voicebridge_spool_destroy(u_char *dir, ngx_fd_t lock);
static ngx_int_t ngx_http_voicebridge_spool_put(u_char *path, ngx_str_t *text,
    ngx_err_t *err);
static u_char *ngx_http_voicebridge_spool_path(u_char *buf, const u_char *dir,
    const char *prefix, const char *name);


ngx_http_voicebridge_spool_t *
ngx_http_voicebridge_spool_open(ngx_str_t *root, ngx_uint_t level,
    ngx_log_t *log)
{
    ngx_fd_t                       fd;
    ngx_uint_t                     i;
    ngx_http_voicebridge_spool_t  *spool;

    spool = ngx_alloc(sizeof(ngx_http_voicebridge_spool_t), log);
    if (spool == NULL) {
        return NULL;
    }

    ngx_memzero(spool, sizeof(ngx_http_voicebridge_spool_t));
    spool->own = 1;

    /* who looks for directories of the dead may be quicker than the lock */

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_SPOOL_TRIES; i++) {

        *ngx_snprintf(spool->path, NGX_MAX_PATH - 1,
                      "%V/" NGX_HTTP_VOICEBRIDGE_SPOOL_PREFIX "%P-%T-%ui",
                      root, ngx_pid, ngx_time(), i)
            = '\0';

        if (ngx_create_dir(spool->path, 0700) == NGX_FILE_ERROR) {

            if (ngx_errno == NGX_EEXIST) {
                continue;
            }

            break;
        }

        fd = ngx_http_voicebridge_spool_lock(spool->path, O_CREAT);

        if (fd != NGX_INVALID_FILE) {
            spool->lock = fd;
            return spool;
        }

        if (ngx_errno != NGX_ENOENT && ngx_errno != NGX_EAGAIN) {
            break;
        }
    }

    ngx_log_error(level, log, ngx_errno,
                  "\"%s\" cannot be made, which is for events that wait: "
                  "the directory of \"voicebridge_webhook_spool\" has to be "
                  "there and writable for nginx's workers", spool->path);

    ngx_free(spool);

    return NULL;
}


/* NGX_EAGAIN: somebody has it; NGX_ENOENT: it is gone */

static ngx_fd_t
ngx_http_voicebridge_spool_lock(u_char *dir, int flags)
{
    u_char           path[NGX_MAX_PATH];
    ngx_fd_t         fd;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    if (ngx_http_voicebridge_spool_path(path, dir, "",
                                        NGX_HTTP_VOICEBRIDGE_SPOOL_LOCK)
        == NULL)
    {
        return NGX_INVALID_FILE;
    }

    fd = open((const char *) path, O_RDWR|O_CLOEXEC|flags, 0600);

    if (fd == -1) {
        return NGX_INVALID_FILE;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        err = ngx_errno;

    } else if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;

    } else if (fi.st_nlink == 0) {

        /* its last holder has removed it before it let go */

        err = NGX_ENOENT;

    } else {
        return fd;
    }

    (void) ngx_close_file(fd);
    ngx_set_errno(err);

    return NGX_INVALID_FILE;
}


ngx_http_voicebridge_spool_t *
ngx_http_voicebridge_spool_adopt(ngx_str_t *root, ngx_array_t *names,
    ngx_log_t *log)
{
    u_char                        *name, path[NGX_MAX_PATH];
    ngx_dir_t                      dir;
    ngx_http_voicebridge_spool_t  *spool;

    if (ngx_open_dir(root, &dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      ngx_open_dir_n " \"%V\" failed", root);
        return NULL;
    }

    spool = NULL;

    while (spool == NULL && ngx_read_dir(&dir) == NGX_OK) {

        name = ngx_de_name(&dir);

        if (ngx_strncmp(name, NGX_HTTP_VOICEBRIDGE_SPOOL_PREFIX,
                        sizeof(NGX_HTTP_VOICEBRIDGE_SPOOL_PREFIX) - 1)
            == 0
            && ngx_http_voicebridge_spool_path(path, root->data, "",
                                               (char *) name))
        {
            spool = ngx_http_voicebridge_spool_take(path, names, log);
        }
    }

    if (ngx_close_dir(&dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_dir_n " \"%V\" failed", root);
    }

    return spool;
}


static ngx_http_voicebridge_spool_t *
ngx_http_voicebridge_spool_take(u_char *path, ngx_array_t *names,
    ngx_log_t *log)
{
    ngx_fd_t                       fd;
    ngx_http_voicebridge_spool_t  *spool;

    fd = ngx_http_voicebridge_spool_lock(path, 0);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno == NGX_ENOENT) {

            /* its process died between two steps; one that is just between
             * them tries again */

            (void) ngx_delete_dir(path);
        }

        return NULL;
    }

    if (ngx_http_voicebridge_spool_list(path, names, log) != NGX_OK) {
        (void) ngx_close_file(fd);
        return NULL;
    }

    if (names->nelts == 0) {
        ngx_http_voicebridge_spool_destroy(path, fd);
        return NULL;
    }

    ngx_qsort(names->elts, names->nelts, sizeof(ngx_str_t),
              ngx_http_voicebridge_spool_cmp);

    spool = ngx_alloc(sizeof(ngx_http_voicebridge_spool_t), log);

    if (spool == NULL) {
        (void) ngx_close_file(fd);
        return NULL;
    }

    ngx_memzero(spool, sizeof(ngx_http_voicebridge_spool_t));

    spool->lock = fd;
    spool->files = names->nelts;
    ngx_cpystrn(spool->path, path, NGX_MAX_PATH);

    return spool;
}


static ngx_int_t
ngx_http_voicebridge_spool_list(u_char *path, ngx_array_t *names,
    ngx_log_t *log)
{
    u_char     temp[NGX_MAX_PATH];
    size_t     len;
    ngx_int_t  rc;
    ngx_str_t  s, *name;
    ngx_dir_t  dir;

    s.data = path;
    s.len = ngx_strlen(path);

    if (ngx_open_dir(&s, &dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      ngx_open_dir_n " \"%V\" failed", &s);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (ngx_read_dir(&dir) == NGX_OK) {

        len = ngx_de_namelen(&dir);

        if (ngx_strncmp(ngx_de_name(&dir), NGX_HTTP_VOICEBRIDGE_SPOOL_TEMP,
                        sizeof(NGX_HTTP_VOICEBRIDGE_SPOOL_TEMP) - 1)
            == 0)
        {
            if (ngx_http_voicebridge_spool_path(temp, path, "",
                                                (char *) ngx_de_name(&dir)))
            {
                (void) ngx_delete_file(temp);
            }

            continue;
        }

        if (ngx_de_name(&dir)[0] < '0' || ngx_de_name(&dir)[0] > '9'
            || len > NGX_HTTP_VOICEBRIDGE_SPOOL_NAME)
        {
            continue;
        }

        name = ngx_array_push(names);

        if (name == NULL
            || (name->data = ngx_pnalloc(names->pool, len + 1)) == NULL)
        {
            rc = NGX_ERROR;
            break;
        }

        name->len = len;
        ngx_cpystrn(name->data, ngx_de_name(&dir), len + 1);
    }

    (void) ngx_close_dir(&dir);

    return rc;
}


static int ngx_libc_cdecl
ngx_http_voicebridge_spool_cmp(const void *one, const void *two)
{
    const ngx_str_t *a = one, *b = two;

    return ngx_strcmp(a->data, b->data);
}


void
ngx_http_voicebridge_spool_close(ngx_http_voicebridge_spool_t *spool)
{
    if (spool->files == 0) {
        ngx_http_voicebridge_spool_destroy(spool->path, spool->lock);

    } else {
        (void) ngx_close_file(spool->lock);
    }

    ngx_free(spool);
}


static void
ngx_http_voicebridge_spool_destroy(u_char *dir, ngx_fd_t lock)
{
    u_char  path[NGX_MAX_PATH];

    if (ngx_http_voicebridge_spool_path(path, dir, "",
                                        NGX_HTTP_VOICEBRIDGE_SPOOL_LOCK))
    {
        (void) ngx_delete_file(path);
    }

    (void) ngx_delete_dir(dir);
    (void) ngx_close_file(lock);
}


ngx_int_t
ngx_http_voicebridge_spool_write(ngx_http_voicebridge_spool_t *spool,
    const char *name, ngx_str_t *text, ngx_err_t *err)
{
    u_char  temp[NGX_MAX_PATH], path[NGX_MAX_PATH];

    if (ngx_http_voicebridge_spool_path(temp, spool->path,
                                        NGX_HTTP_VOICEBRIDGE_SPOOL_TEMP, name)
        == NULL
        || ngx_http_voicebridge_spool_path(path, spool->path, "", name)
           == NULL)
    {
        *err = ngx_errno;
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_spool_put(temp, text, err) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rename_file(temp, path) == NGX_FILE_ERROR) {
        *err = ngx_errno;
        (void) ngx_delete_file(temp);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_spool_put(u_char *path, ngx_str_t *text, ngx_err_t *err)
{
    size_t    sent;
    ssize_t   n;
    ngx_fd_t  fd;

    fd = open((const char *) path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {
        *err = ngx_errno;
        return NGX_ERROR;
    }

    for (sent = 0; sent < text->len; sent += n) {

        n = write(fd, text->data + sent, text->len - sent);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            n = 0;
            continue;
        }

        if (n <= 0) {
            *err = (n == 0) ? NGX_ENOSPC : ngx_errno;
            (void) ngx_close_file(fd);
            (void) ngx_delete_file(path);
            return NGX_ERROR;
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        *err = ngx_errno;
        (void) ngx_delete_file(path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_spool_read(ngx_http_voicebridge_spool_t *spool,
    const char *name, ngx_pool_t *pool, size_t max, ngx_str_t *text,
    ngx_err_t *err)
{
    u_char           path[NGX_MAX_PATH];
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    if (ngx_http_voicebridge_spool_path(path, spool->path, "", name) == NULL) {
        return NGX_DECLINED;
    }

    fd = open((const char *) path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        *err = ngx_errno;
        return (*err == NGX_ENOENT) ? NGX_DECLINED : NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        *err = ngx_errno;
        goto done;
    }

    if (ngx_file_size(&fi) <= 0 || ngx_file_size(&fi) > (off_t) max) {
        rc = NGX_DECLINED;
        goto done;
    }

    text->len = (size_t) ngx_file_size(&fi);

    text->data = ngx_pnalloc(pool, text->len);
    if (text->data == NULL) {
        *err = NGX_ENOMEM;
        goto done;
    }

    n = ngx_read_fd(fd, text->data, text->len);

    if (n == (ssize_t) text->len) {
        rc = NGX_OK;

    } else {
        *err = (n == -1) ? ngx_errno : EIO;
    }

done:

    (void) ngx_close_file(fd);

    return rc;
}


void
ngx_http_voicebridge_spool_remove(ngx_http_voicebridge_spool_t *spool,
    const char *name)
{
    u_char  path[NGX_MAX_PATH];

    if (ngx_http_voicebridge_spool_path(path, spool->path, "", name)) {
        (void) ngx_delete_file(path);
    }

    if (spool->files) {
        spool->files--;
    }
}


/* NULL: too long */

static u_char *
ngx_http_voicebridge_spool_path(u_char *buf, const u_char *dir,
    const char *prefix, const char *name)
{
    if (ngx_strlen(dir) + ngx_strlen(prefix) + ngx_strlen(name) + 2
        > NGX_MAX_PATH)
    {
        ngx_set_errno(NGX_ENAMETOOLONG);
        return NULL;
    }

    (void) ngx_sprintf(buf, "%s/%s%s%Z", dir, prefix, name);

    return buf;
}
