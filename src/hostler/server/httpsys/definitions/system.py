"""What Windows itself declares: handles, overlapped calls, socket addresses, and the functions of three DLLs."""

from __future__ import annotations

from typing import Final

__all__ = ["ADVAPI32", "KERNEL32", "NTDLL", "TYPES"]

TYPES: Final = """
// ---- winnt.h, minwindef.h, guiddef.h

typedef void *HANDLE;
typedef uint8_t BOOLEAN;
typedef int32_t BOOL;

typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

// ---- minwinbase.h: OVERLAPPED, OVERLAPPED_ENTRY, SECURITY_ATTRIBUTES

typedef struct _OVERLAPPED {
    uintptr_t Internal;
    uintptr_t InternalHigh;
    union {
        struct {
            uint32_t Offset;
            uint32_t OffsetHigh;
        };
        void *Pointer;
    };
    HANDLE hEvent;
} OVERLAPPED;

typedef struct _OVERLAPPED_ENTRY {
    uintptr_t lpCompletionKey;
    OVERLAPPED *lpOverlapped;
    uintptr_t Internal;
    uint32_t dwNumberOfBytesTransferred;
} OVERLAPPED_ENTRY;

typedef struct _SECURITY_ATTRIBUTES {
    uint32_t nLength;
    void *lpSecurityDescriptor;
    BOOL bInheritHandle;
} SECURITY_ATTRIBUTES;

// ---- ws2def.h, inaddr.h, in6addr.h, ws2ipdef.h: socket addresses; ports and addresses are in network order

typedef struct sockaddr {
    uint16_t sa_family;
    char sa_data[14];
} SOCKADDR;

typedef struct in_addr {
    union {
        struct { uint8_t s_b1, s_b2, s_b3, s_b4; } S_un_b;
        struct { uint16_t s_w1, s_w2; } S_un_w;
        uint32_t S_addr;
    } S_un;
} IN_ADDR;

typedef struct sockaddr_in {
    uint16_t sin_family;
    uint16_t sin_port;
    IN_ADDR sin_addr;
    char sin_zero[8];
} SOCKADDR_IN;

typedef struct in6_addr {
    union {
        uint8_t Byte[16];
        uint16_t Word[8];
    } u;
} IN6_ADDR;

typedef struct sockaddr_in6 {
    uint16_t sin6_family;
    uint16_t sin6_port;
    uint32_t sin6_flowinfo;
    IN6_ADDR sin6_addr;
    uint32_t sin6_scope_id;
} SOCKADDR_IN6;

typedef struct sockaddr_storage {
    uint16_t ss_family;
    char __ss_pad1[6];
    int64_t __ss_align;
    char __ss_pad2[112];
} SOCKADDR_STORAGE;

// ---- consoleapi.h: HandlerRoutine

typedef BOOL (*PHANDLER_ROUTINE)(uint32_t CtrlType);
"""

KERNEL32: Final = """
// ---- ioapiset.h, winbase.h: completion ports

HANDLE CreateIoCompletionPort(HANDLE FileHandle, HANDLE ExistingCompletionPort, uintptr_t CompletionKey,
                              uint32_t NumberOfConcurrentThreads);
BOOL GetQueuedCompletionStatusEx(HANDLE CompletionPort, OVERLAPPED_ENTRY *Entries, uint32_t Count,
                                 uint32_t *NumEntriesRemoved, uint32_t Milliseconds, BOOL Alertable);
BOOL PostQueuedCompletionStatus(HANDLE CompletionPort, uint32_t NumberOfBytesTransferred, uintptr_t CompletionKey,
                                OVERLAPPED *Overlapped);
BOOL SetFileCompletionNotificationModes(HANDLE FileHandle, uint8_t Flags);
BOOL CancelIoEx(HANDLE File, OVERLAPPED *Overlapped);

// ---- handleapi.h, errhandlingapi.h, fileapi.h, winbase.h

BOOL CloseHandle(HANDLE Object);
uint32_t GetLastError(void);
HANDLE CreateFileW(const char16_t *FileName, uint32_t DesiredAccess, uint32_t ShareMode,
                   SECURITY_ATTRIBUTES *SecurityAttributes, uint32_t CreationDisposition,
                   uint32_t FlagsAndAttributes, HANDLE TemplateFile);
BOOL GetFileSizeEx(HANDLE File, int64_t *FileSize);
void *LocalFree(void *Mem);

// ---- consoleapi.h

BOOL SetConsoleCtrlHandler(PHANDLER_ROUTINE HandlerRoutine, BOOL Add);
BOOL GenerateConsoleCtrlEvent(uint32_t CtrlEvent, uint32_t ProcessGroupId);
"""

NTDLL: Final = """
// ---- winternl.h; NTSTATUS is signed there, but OVERLAPPED.Internal, where it comes from, is not

uint32_t RtlNtStatusToDosError(uint32_t Status);
"""

ADVAPI32: Final = """
// ---- sddl.h

BOOL ConvertStringSecurityDescriptorToSecurityDescriptorW(
    const char16_t *StringSecurityDescriptor, uint32_t StringSDRevision, void **SecurityDescriptor,
    uint32_t *SecurityDescriptorSize);
"""
