
/*
 * What every room shares: a counted string and the return codes.
 *
 * The rooms audio, wire, twilio, elevenlabs and api include no nginx header.
 * Where nginx's headers are present a vb_str_t is an ngx_str_t, elsewhere a
 * structure with the same members, which C11 6.2.7 calls compatible; so
 * values cross between the rooms without a cast or a copy.
 */


#ifndef _VB_CORE_H_INCLUDED_
#define _VB_CORE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>


#ifdef _NGX_CORE_H_INCLUDED_

typedef ngx_str_t  vb_str_t;

#else

typedef struct {
    size_t          len;
    unsigned char  *data;
} vb_str_t;

#endif


/* the values of NGX_OK, NGX_ERROR, NGX_AGAIN and NGX_DECLINED */

#define VB_OK        0
#define VB_ERROR    -1
#define VB_AGAIN    -2
#define VB_DECLINED -5


#define vb_str(s)  { sizeof(s) - 1, (unsigned char *) (s) }

#define vb_str_eq(s, literal)                                                 \
    ((s)->len == sizeof(literal) - 1                                          \
     && memcmp((s)->data, literal, sizeof(literal) - 1) == 0)

#define vb_min(a, b)  ((a) < (b) ? (a) : (b))


#endif /* _VB_CORE_H_INCLUDED_ */
