// libpq by its own names, loaded when the first of them is called: with the sixteen libraries behind it, linking it would
// cost every command of the program milliseconds at its start, and only a control plane on PostgreSQL calls it.
//
// load_libpq() is asked before; a function that is missing all the same ends the process.
#include "fleet/store/libpq_forward.h"

#include <dlfcn.h>
#include <libpq-fe.h>

#include "base/fatal.h"

namespace fusebox::fleet {
namespace {

constexpr const char* kLibraryName = "libpq.so.5";  // its interface number since 2006

struct Loaded {
  void* handle = nullptr;
  std::string problem;  // "" when loaded
};

const Loaded& loaded() {
  static const Loaded once = [] {
    Loaded library;
    library.handle = ::dlopen(kLibraryName, RTLD_NOW | RTLD_LOCAL);
    if (library.handle == nullptr)
      library.problem = std::string("libpq cannot be loaded (package libpq5): ") + ::dlerror();
    else if (::dlsym(library.handle, "PQenterPipelineMode") == nullptr)
      library.problem = std::string(kLibraryName) + " is too old: 14 or newer is needed";
    return library;
  }();
  return once;
}

template <class Function>
Function call(const char* name) {
  auto* found = reinterpret_cast<Function>(::dlsym(loaded().handle, name));
  if (found == nullptr) base::fatal(std::string("libpq has no ") + name);
  return found;
}

}  // namespace

base::Result<void> load_libpq() {
  if (loaded().problem.empty()) return {};
  return base::fail(base::Errc::unsupported, loaded().problem);
}

}  // namespace fusebox::fleet

namespace {
using fusebox::fleet::call;
}

extern "C" {
int PQbackendPID(const PGconn* conn) {
  return call<decltype(&::PQbackendPID)>("PQbackendPID")(conn);
}
void PQclear(PGresult* res) {
  return call<decltype(&::PQclear)>("PQclear")(res);
}
char* PQcmdTuples(PGresult* res) {
  return call<decltype(&::PQcmdTuples)>("PQcmdTuples")(res);
}
PGconn* PQconnectdbParams(const char* const* keywords, const char* const* values, int expand_dbname) {
  return call<decltype(&::PQconnectdbParams)>("PQconnectdbParams")(keywords, values, expand_dbname);
}
void PQconninfoFree(PQconninfoOption* connOptions) {
  return call<decltype(&::PQconninfoFree)>("PQconninfoFree")(connOptions);
}
PQconninfoOption* PQconninfoParse(const char* conninfo, char** errmsg) {
  return call<decltype(&::PQconninfoParse)>("PQconninfoParse")(conninfo, errmsg);
}
int PQconsumeInput(PGconn* conn) {
  return call<decltype(&::PQconsumeInput)>("PQconsumeInput")(conn);
}
int PQenterPipelineMode(PGconn* conn) {
  return call<decltype(&::PQenterPipelineMode)>("PQenterPipelineMode")(conn);
}
char* PQerrorMessage(const PGconn* conn) {
  return call<decltype(&::PQerrorMessage)>("PQerrorMessage")(conn);
}
PGresult* PQexec(PGconn* conn, const char* query) {
  return call<decltype(&::PQexec)>("PQexec")(conn, query);
}
int PQexitPipelineMode(PGconn* conn) {
  return call<decltype(&::PQexitPipelineMode)>("PQexitPipelineMode")(conn);
}
void PQfinish(PGconn* conn) {
  return call<decltype(&::PQfinish)>("PQfinish")(conn);
}
int PQflush(PGconn* conn) {
  return call<decltype(&::PQflush)>("PQflush")(conn);
}
void PQfreemem(void* ptr) {
  return call<decltype(&::PQfreemem)>("PQfreemem")(ptr);
}
Oid PQftype(const PGresult* res, int field_num) {
  return call<decltype(&::PQftype)>("PQftype")(res, field_num);
}
PGresult* PQgetResult(PGconn* conn) {
  return call<decltype(&::PQgetResult)>("PQgetResult")(conn);
}
int PQgetisnull(const PGresult* res, int tup_num, int field_num) {
  return call<decltype(&::PQgetisnull)>("PQgetisnull")(res, tup_num, field_num);
}
int PQgetlength(const PGresult* res, int tup_num, int field_num) {
  return call<decltype(&::PQgetlength)>("PQgetlength")(res, tup_num, field_num);
}
char* PQgetvalue(const PGresult* res, int tup_num, int field_num) {
  return call<decltype(&::PQgetvalue)>("PQgetvalue")(res, tup_num, field_num);
}
int PQisBusy(PGconn* conn) {
  return call<decltype(&::PQisBusy)>("PQisBusy")(conn);
}
PGnotify* PQnotifies(PGconn* conn) {
  return call<decltype(&::PQnotifies)>("PQnotifies")(conn);
}
int PQntuples(const PGresult* res) {
  return call<decltype(&::PQntuples)>("PQntuples")(res);
}
int PQpipelineSync(PGconn* conn) {
  return call<decltype(&::PQpipelineSync)>("PQpipelineSync")(conn);
}
char* PQresultErrorField(const PGresult* res, int fieldcode) {
  return call<decltype(&::PQresultErrorField)>("PQresultErrorField")(res, fieldcode);
}
char* PQresultErrorMessage(const PGresult* res) {
  return call<decltype(&::PQresultErrorMessage)>("PQresultErrorMessage")(res);
}
ExecStatusType PQresultStatus(const PGresult* res) {
  return call<decltype(&::PQresultStatus)>("PQresultStatus")(res);
}
int PQsendPrepare(PGconn* conn, const char* stmtName, const char* query, int nParams, const Oid* paramTypes) {
  return call<decltype(&::PQsendPrepare)>("PQsendPrepare")(conn, stmtName, query, nParams, paramTypes);
}
int PQsendQueryParams(PGconn* conn, const char* command, int nParams, const Oid* paramTypes,
                      const char* const* paramValues, const int* paramLengths, const int* paramFormats,
                      int resultFormat) {
  return call<decltype(&::PQsendQueryParams)>("PQsendQueryParams")(conn, command, nParams, paramTypes, paramValues,
                                                                   paramLengths, paramFormats, resultFormat);
}
int PQsendQueryPrepared(PGconn* conn, const char* stmtName, int nParams, const char* const* paramValues,
                        const int* paramLengths, const int* paramFormats, int resultFormat) {
  return call<decltype(&::PQsendQueryPrepared)>("PQsendQueryPrepared")(conn, stmtName, nParams, paramValues,
                                                                       paramLengths, paramFormats, resultFormat);
}
int PQserverVersion(const PGconn* conn) {
  return call<decltype(&::PQserverVersion)>("PQserverVersion")(conn);
}
PQnoticeProcessor PQsetNoticeProcessor(PGconn* conn, PQnoticeProcessor proc, void* arg) {
  return call<decltype(&::PQsetNoticeProcessor)>("PQsetNoticeProcessor")(conn, proc, arg);
}
int PQsetnonblocking(PGconn* conn, int arg) {
  return call<decltype(&::PQsetnonblocking)>("PQsetnonblocking")(conn, arg);
}
int PQsocket(const PGconn* conn) {
  return call<decltype(&::PQsocket)>("PQsocket")(conn);
}
ConnStatusType PQstatus(const PGconn* conn) {
  return call<decltype(&::PQstatus)>("PQstatus")(conn);
}
}  // extern "C"
