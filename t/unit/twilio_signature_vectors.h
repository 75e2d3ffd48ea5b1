
/*
 * X-Twilio-Signature: requests and signatures as Twilio's own SDKs test them
 * (twilio-python, -node, -go, -ruby), and more computed by the documented
 * algorithm.  A body is a form, or JSON where the query has bodySHA256.
 */


#ifndef _VB_TWILIO_SIGNATURE_VECTORS_H_INCLUDED_
#define _VB_TWILIO_SIGNATURE_VECTORS_H_INCLUDED_


static const struct {
    const char  *name;
    const char  *kind;             /* form, json, get, wss */
    const char  *base;
    const char  *target;
    const char  *body;
    const char  *signature;
    int          match;
} vb_signature_vectors[] = {

    { "form-basic", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "RSOYDt4T1cUTdK1PDd93/VVr8B8=", 1 },

    { "form-doc-example", "form",
      "https://example.com",
      "/myapp.php?foo=1&bar=2",
      "Digits=1234&To=%2B18005551212&From=%2B14158675310&Caller=%2B1415"
      "8675310&CallSid=CA1234567890ABCDE",
      "L/OH5YylLD5NRKLltdqwSvS0BnU=", 1 },

    { "form-prefix-keys", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%"
      "2B14158675309&From=%2B14158675309&ReasonConferenceEnded=test&Rea"
      "son=Participant",
      "vOEb5UThFn24KEfnOFLQY2AE5FY=", 1 },

    { "form-prefix-keys-wrong-order", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%"
      "2B14158675309&From=%2B14158675309&ReasonConferenceEnded=test&Rea"
      "son=Participant",
      "95+Bu0JVPi0r/SsESZCVf0dWAjw=", 0 },

    { "form-two-params", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "property=value&boolean=true",
      "NBdBDr/T/lgjI+tlgpXjKZQZs/k=", 1 },

    { "form-duplicates", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
      "IK+Dwps556ElfBT0I3Rgjkr1wJU=", 1 },

    { "form-array-sorted", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address"
      "=%2B1325xxxxxxx",
      "83O6e2vORAoJHUNzJjDWN1jz+BA=", 1 },

    { "form-wrong-signature", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "WRONG_SIGNATURE", 0 },

    { "form-extra-query-param", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2&somethingUnexpected=true",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "RSOYDt4T1cUTdK1PDd93/VVr8B8=", 0 },

    { "port-https-dropped", "form",
      "https://mycompany.com:1234",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "RSOYDt4T1cUTdK1PDd93/VVr8B8=", 1 },

    { "port-https-443-added", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "kvajT1Ptam85bY51eRf/AJRuM3w=", 1 },

    { "port-http-kept", "form",
      "http://mycompany.com:1234",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", 1 },

    { "port-http-80-added", "form",
      "http://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "0ZXoZLH/DfblKGATFgpif+LLRf4=", 1 },

    { "http-no-port", "form",
      "http://mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%"
      "2B14158675309&From=%2B14158675309&ReasonConferenceEnded=test&Rea"
      "son=Participant",
      "n2xBNyzSW7rfYStDtOFiFMv7qNo=", 1 },

    { "userinfo-kept", "form",
      "https://user:pass@mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "CukzLTc1tT5dXEDIHm/tKBanW10=", 1 },

    { "userinfo-kept-443", "form",
      "https://user:pass@mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=", 1 },

    { "username-kept", "form",
      "https://user@mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "2YRLlVAflCqxaNicjMpJcSTgzSs=", 1 },

    { "username-kept-443", "form",
      "https://user@mycompany.com",
      "/myapp.php?foo=1&bar=2",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "aZfj4hyX1MLZhSS6QIL18Vn2/RA=", 1 },

    { "query-single-quote-encoded", "form",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2&Body=It's+amazing",
      "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B"
      "18005551212&Caller=%2B14158675309",
      "TfZzewPq8wqrGlMfyAud8+/IvJ0=", 1 },

    { "json-body", "json",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe941"
      "6e41502b283a80c7cf19632632f96e6620",
      "{\"property\": \"value\", \"boolean\": true}",
      "a9nBmqA0ju/hNViExpshrM61xv4=", 1 },

    { "json-body-only-query", "json",
      "https://mycompany.com",
      "/myapp.php?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a"
      "80c7cf19632632f96e6620",
      "{\"property\": \"value\", \"boolean\": true}",
      "y77kIzt2vzLz71DgmJGsen2scGs=", 1 },

    { "json-empty-object-443", "json",
      "https://mycompany.com",
      "/myapp.php?foo=1&bar=2&bodySHA256=44136fa355b3678a1146ad16f7e864"
      "9e94fb4fc21fe77e8310c060f61caaff8a",
      "{}",
      "Ldidvp12m26NI7eqEvxnEpkd9Hc=", 1 },

    { "json-body-hash-doc", "json",
      "https://example.com",
      "/myapp?bodySHA256=5ccde7145dfb8f56479710896586cb9d5911809d83afbe"
      "34627818790db0aec9",
      "{\"CallSid\":\"CA1234567890ABCDE\",\"Caller\":\"+12349013030\"}",
      "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo=", 1 },

    { "get-webhook", "get",
      "https://gw.example.com",
      "/twilio/voice?CallSid=CA0123456789abcdef0123456789abcdef&From=%2"
      "B14155550100&To=%2B14155550199&CallStatus=ringing&Direction=inbo"
      "und",
      "",
      "Ulwbv/357bb/KacDvcmdgb1GJkU=", 1 },

    { "form-inbound-call", "form",
      "https://gw.example.com",
      "/twilio/voice",
      "AccountSid=AC0123456789abcdef0123456789abcdef&ApiVersion=2010-04"
      "-01&CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=ringin"
      "g&Called=%2B14155550199&Caller=%2B14155550100&Direction=inbound&"
      "From=%2B14155550100&FromCity=&FromCountry=US&FromState=CA&FromZi"
      "p=&To=%2B14155550199&ToCity=SAN+FRANCISCO&ToCountry=US&ToState=C"
      "A&ToZip=",
      "DwcRYjmXL8p35dUxziahufH3mhg=", 1 },

    { "form-utf8", "form",
      "https://gw.example.com",
      "/twilio/voice",
      "CallSid=CA0123456789abcdef0123456789abcdef&CallerName=ZO%C3%8B+%"
      "26+CO&FromCity=S%C3%83O+PAULO",
      "lJWK4GADgO1H3irKYBDs5gSlDlA=", 1 },

    { "form-case-order", "form",
      "https://gw.example.com",
      "/twilio/voice",
      "a=1&B=2&_=3&A=4",
      "7LdIfhMRgK1mJR3J7fvk+QXU7KE=", 1 },

    { "form-fragment-override", "form",
      "https://gw.example.com",
      "/twilio/status",
      "CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=completed",
      "KCXfBPBcNmv+Z5/RIdPV96D6VJE=", 1 },

    { "wss-basic", "wss",
      "https://gw.example.com",
      "/twilio/media",
      "",
      "xOtUNom2O6Ixz0xt8ODDv8MkQUY=", 1 },

    { "wss-trailing-slash", "wss",
      "https://gw.example.com",
      "/twilio/media/",
      "",
      "UywbZ+VAu0CMaP+9Bth3u5vAvXQ=", 1 },

    { "wss-port-443", "wss",
      "https://gw.example.com:443",
      "/twilio/media",
      "",
      "l1kCkxwGIXa39FwZNOU5zimZCp0=", 1 },

    { "wss-root", "wss",
      "https://gw.example.com",
      "/",
      "",
      "FWBcAPZ+F/IvXRJVEVx6mDOWtFg=", 1 },

    { "wss-root-no-slash", "wss",
      "https://gw.example.com",
      "",
      "",
      "lCV1oVPtGrae/ik2d/CyDA2rf6E=", 1 },

    { "wss-https-scheme", "wss",
      "https://gw.example.com",
      "/twilio/media",
      "",
      "l0WzXexllA+2Nr2uoD32CYvxCeo=", 0 },
};


#endif /* _VB_TWILIO_SIGNATURE_VECTORS_H_INCLUDED_ */
