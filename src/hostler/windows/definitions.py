"""The C declarations of Windows itself, and how `_bindings.py` is made of them.

They are handles, overlapped calls, socket addresses, and the functions of four DLLs. `python -m
hostler.windows.definitions` writes `_bindings.py` anew, for cffi's out-of-line ABI mode: no compiler is needed, neither
here nor where hostler is installed. Every type has a fixed width (`uint32_t` for ULONG and DWORD, `char16_t` for WCHAR,
`int32_t` for enumerations), so that the layouts are those of 64-bit Windows on any 64-bit platform; tests compare them
with other people's headers.

Names are Microsoft's. Where its documentation has several spellings of a parameter, the shortest that says enough is
taken; names of parameters mean nothing to the compiler. Every structure and union has a tag here: cffi numbers those
without, and would take one of these for one of the bindings that include these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from attrs import frozen

__all__ = ["ADVAPI32", "BINDINGS", "IPHLPAPI", "KERNEL32", "NTDLL", "TYPES", "Bindings"]

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
    uint32_t Offset;
    uint32_t OffsetHigh;
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
    union _IN_ADDR_S_UN {
        struct _IN_ADDR_S_UN_B { uint8_t s_b1, s_b2, s_b3, s_b4; } S_un_b;
        struct _IN_ADDR_S_UN_W { uint16_t s_w1, s_w2; } S_un_w;
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
    union _IN6_ADDR_U {
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

// ---- processthreadsapi.h, winbase.h: processes

HANDLE OpenProcess(uint32_t DesiredAccess, BOOL InheritHandle, uint32_t ProcessId);
BOOL QueryFullProcessImageNameW(HANDLE Process, uint32_t Flags, char16_t *ExeName, uint32_t *Size);

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
BOOL ConvertSidToStringSidW(void *Sid, char16_t **StringSid);
BOOL ConvertStringSidToSidW(const char16_t *StringSid, void **Sid);

// ---- winbase.h; Use is a SID_NAME_USE

BOOL LookupAccountNameW(const char16_t *SystemName, const char16_t *AccountName, void *Sid, uint32_t *SidSize,
                        char16_t *ReferencedDomainName, uint32_t *ReferencedDomainNameSize, int32_t *Use);
BOOL LookupAccountSidW(const char16_t *SystemName, void *Sid, char16_t *Name, uint32_t *NameSize,
                       char16_t *ReferencedDomainName, uint32_t *ReferencedDomainNameSize, int32_t *Use);
"""

IPHLPAPI: Final = """
// ---- tcpmib.h, iphlpapi.h: addresses and ports are in network order, a port in the low 16 bits

typedef struct _MIB_TCPROW_OWNER_PID {
    uint32_t dwState;
    uint32_t dwLocalAddr;
    uint32_t dwLocalPort;
    uint32_t dwRemoteAddr;
    uint32_t dwRemotePort;
    uint32_t dwOwningPid;
} MIB_TCPROW_OWNER_PID;

typedef struct _MIB_TCPTABLE_OWNER_PID {
    uint32_t dwNumEntries;
    MIB_TCPROW_OWNER_PID table[];
} MIB_TCPTABLE_OWNER_PID;

typedef struct _MIB_TCP6ROW_OWNER_PID {
    uint8_t ucLocalAddr[16];
    uint32_t dwLocalScopeId;
    uint32_t dwLocalPort;
    uint8_t ucRemoteAddr[16];
    uint32_t dwRemoteScopeId;
    uint32_t dwRemotePort;
    uint32_t dwState;
    uint32_t dwOwningPid;
} MIB_TCP6ROW_OWNER_PID;

typedef struct _MIB_TCP6TABLE_OWNER_PID {
    uint32_t dwNumEntries;
    MIB_TCP6ROW_OWNER_PID table[];
} MIB_TCP6TABLE_OWNER_PID;

uint32_t GetExtendedTcpTable(void *TcpTable, uint32_t *Size, BOOL Order, uint32_t AddressFamily, int32_t TableClass,
                             uint32_t Reserved);
"""


@frozen
class Bindings:
    """Declarations, and the module that holds them in cffi's compact form."""

    module: str
    path: Path

    command: str
    """What writes it."""

    cdef: str
    """All the declarations, in an order that C accepts."""

    base: Bindings | None = None
    """Bindings whose types these use."""

    def write(self, path: Path | None = None) -> None:
        """Generate the module, at its own path unless another is given."""
        target = path or self.path
        self._ffi().emit_python_code(str(target))
        heading = f"# Written by {self.command}; change the declarations there, and not this.\n# ruff: noqa: Q000\n# fmt: off\n"
        target.write_text(heading + target.read_text(encoding="ascii"), encoding="ascii", newline="\n")

    def _ffi(self) -> Any:
        import cffi  # noqa: PLC0415 - the bindings themselves need only its run-time half

        ffi = cffi.FFI()
        if self.base is not None:
            ffi.include(self.base._ffi())
        ffi.cdef(self.cdef)
        ffi.set_source(self.module, None)
        return ffi


BINDINGS: Final = Bindings(
    "hostler.windows._bindings",
    Path(__file__).with_name("_bindings.py"),
    "python -m hostler.windows.definitions",
    TYPES + KERNEL32 + NTDLL + ADVAPI32 + IPHLPAPI,
)

if __name__ == "__main__":
    BINDINGS.write()
