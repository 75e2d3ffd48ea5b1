
/*
 * G.711 mu-law (ITU-T Recommendation G.711, 1988), as spoken by the
 * telephone network and by Twilio Media Streams: 8000 bytes a second.
 */


#ifndef _VB_G711_H_INCLUDED_
#define _VB_G711_H_INCLUDED_


#include <vb_core.h>


/* mu-law code of digital silence */
#define VB_G711_ULAW_SILENCE  0xff


/*
 * Decodes n mu-law bytes at src to n signed 16-bit samples at dst (14-bit
 * values scaled by four, +-32124).  The areas must not overlap.
 */
void vb_g711_ulaw_decode(int16_t *dst, const uint8_t *src, size_t n);


/*
 * Encodes n signed 16-bit samples at src to n mu-law bytes at dst by the
 * decision values of G.711 table 2a, clipped at +-32635.  No overlap.
 */
void vb_g711_ulaw_encode(uint8_t *dst, const int16_t *src, size_t n);


#endif /* _VB_G711_H_INCLUDED_ */
