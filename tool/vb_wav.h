
/* WAV files of 16-bit PCM, read for a telephone and written from one */


#ifndef _VB_WAV_H_INCLUDED_
#define _VB_WAV_H_INCLUDED_


#include <vb_tool.h>


/* of a file that is read: some 12 minutes of 44.1 kHz stereo */
#define VB_WAV_MAX_FILE  134217728


/*
 * Appends a file as mu-law, 8000 Hz, to ulaw.  It may have 8, 16, 22.05, 24,
 * 44.1 or 48 kHz, one channel or two, which are mixed.  VB_OK, or VB_ERROR
 * with *why, static.
 */
int vb_wav_read(const char *name, vb_text_t *ulaw, const char **why);

/* the same of a file's bytes */
int vb_wav_parse(const vb_str_t *file, vb_text_t *ulaw, const char **why);


/* one that is written: 16 bits, 8000 Hz, one channel */
typedef struct {
    FILE            *file;
    uint32_t         bytes;            /* of its samples */
} vb_wav_t;

/* VB_OK, or VB_ERROR with errno, as all below */
int vb_wav_create(vb_wav_t *wav, const char *name);
int vb_wav_write(vb_wav_t *wav, const u_char *ulaw, size_t n);
int vb_wav_close(vb_wav_t *wav);


#endif /* _VB_WAV_H_INCLUDED_ */
