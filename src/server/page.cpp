#include "server/page.h"

// SLUICE_PAGE is the file's path; the assembler copies its bytes into the program.
__asm__(
    ".section .rodata\n"
    ".global sluice_page_begin\n"
    ".global sluice_page_end\n"
    "sluice_page_begin:\n"
    ".incbin \"" SLUICE_PAGE
    "\"\n"
    "sluice_page_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" const char sluice_page_begin[], sluice_page_end[];

namespace sluice::server {

HttpReply page() {
    HttpReply reply;
    reply.type = "text/html; charset=utf-8";
    reply.body.assign(sluice_page_begin, size_t(sluice_page_end - sluice_page_begin));
    // The page brings the rest of its policy itself.
    reply.headers = {{"Content-Security-Policy", "frame-ancestors 'none'"},
                     {"Referrer-Policy", "no-referrer"},
                     {"Cache-Control", "no-cache"}};
    return reply;
}

}  // namespace sluice::server
