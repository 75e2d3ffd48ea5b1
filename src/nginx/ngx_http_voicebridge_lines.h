
/*
 * Files of lines that all workers append to: buffered, and written as whole
 * lines only, by one write() of each buffer.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_LINES_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_LINES_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* bytes of a worker's buffer for a file, and how long lines stay in it, ms */
#define NGX_HTTP_VOICEBRIDGE_LINES_BUFFER  65536
#define NGX_HTTP_VOICEBRIDGE_LINES_FLUSH   1000


/*
 * A directive's slot (NGX_CONF_TAKE1) for a ngx_open_file_t *, which is to be
 * NGX_CONF_UNSET_PTR before, and is NULL where the value is "off".  nginx
 * opens the file, and opens it again for USR1.
 */
char *ngx_http_voicebridge_lines_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Appends one line of len bytes, whose last is LF and which has no other LF;
 * a longer one than the buffer is written at once.  It is written when the
 * buffer is full, after a second, for USR1 and when the worker exits.  What
 * cannot be written is lost and counted, and the log says so once.
 */
void ngx_http_voicebridge_lines_add(ngx_open_file_t *file, u_char *line,
    size_t len);

/* writes what is in the buffer */
void ngx_http_voicebridge_lines_flush(ngx_open_file_t *file);


#endif /* _NGX_HTTP_VOICEBRIDGE_LINES_H_INCLUDED_ */
