/* Programs of Rust draw random numbers from a function that Wine has not got yet. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len)
{
    while (len > 0) {
        ULONG some = len > 0x10000 ? 0x10000 : (ULONG)len;
        if (!RtlGenRandom(data, some))
            return FALSE;
        data += some;
        len -= some;
    }
    return TRUE;
}
