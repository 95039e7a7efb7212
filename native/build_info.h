// What each library says of its making: source commit and compilers.
#pragma once

extern "C" {
extern __attribute__((visibility("default"))) const char gmr_build[];
}
