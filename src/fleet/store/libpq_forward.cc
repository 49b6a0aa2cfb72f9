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

// Looked up once by each function below: some are called for every column of every row.
template <class Function>
Function find(const char* name) {
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
using fusebox::fleet::find;
}

extern "C" {
int PQbackendPID(const PGconn* conn) {
  static const auto to = find<decltype(&::PQbackendPID)>("PQbackendPID");
  return to(conn);
}
void PQclear(PGresult* res) {
  static const auto to = find<decltype(&::PQclear)>("PQclear");
  return to(res);
}
char* PQcmdTuples(PGresult* res) {
  static const auto to = find<decltype(&::PQcmdTuples)>("PQcmdTuples");
  return to(res);
}
PGconn* PQconnectdbParams(const char* const* keywords, const char* const* values, int expand_dbname) {
  static const auto to = find<decltype(&::PQconnectdbParams)>("PQconnectdbParams");
  return to(keywords, values, expand_dbname);
}
void PQconninfoFree(PQconninfoOption* connOptions) {
  static const auto to = find<decltype(&::PQconninfoFree)>("PQconninfoFree");
  return to(connOptions);
}
PQconninfoOption* PQconninfoParse(const char* conninfo, char** errmsg) {
  static const auto to = find<decltype(&::PQconninfoParse)>("PQconninfoParse");
  return to(conninfo, errmsg);
}
int PQconsumeInput(PGconn* conn) {
  static const auto to = find<decltype(&::PQconsumeInput)>("PQconsumeInput");
  return to(conn);
}
int PQenterPipelineMode(PGconn* conn) {
  static const auto to = find<decltype(&::PQenterPipelineMode)>("PQenterPipelineMode");
  return to(conn);
}
char* PQerrorMessage(const PGconn* conn) {
  static const auto to = find<decltype(&::PQerrorMessage)>("PQerrorMessage");
  return to(conn);
}
PGresult* PQexec(PGconn* conn, const char* query) {
  static const auto to = find<decltype(&::PQexec)>("PQexec");
  return to(conn, query);
}
int PQexitPipelineMode(PGconn* conn) {
  static const auto to = find<decltype(&::PQexitPipelineMode)>("PQexitPipelineMode");
  return to(conn);
}
void PQfinish(PGconn* conn) {
  static const auto to = find<decltype(&::PQfinish)>("PQfinish");
  return to(conn);
}
int PQflush(PGconn* conn) {
  static const auto to = find<decltype(&::PQflush)>("PQflush");
  return to(conn);
}
void PQfreemem(void* ptr) {
  static const auto to = find<decltype(&::PQfreemem)>("PQfreemem");
  return to(ptr);
}
Oid PQftype(const PGresult* res, int field_num) {
  static const auto to = find<decltype(&::PQftype)>("PQftype");
  return to(res, field_num);
}
PGresult* PQgetResult(PGconn* conn) {
  static const auto to = find<decltype(&::PQgetResult)>("PQgetResult");
  return to(conn);
}
int PQgetisnull(const PGresult* res, int tup_num, int field_num) {
  static const auto to = find<decltype(&::PQgetisnull)>("PQgetisnull");
  return to(res, tup_num, field_num);
}
int PQgetlength(const PGresult* res, int tup_num, int field_num) {
  static const auto to = find<decltype(&::PQgetlength)>("PQgetlength");
  return to(res, tup_num, field_num);
}
char* PQgetvalue(const PGresult* res, int tup_num, int field_num) {
  static const auto to = find<decltype(&::PQgetvalue)>("PQgetvalue");
  return to(res, tup_num, field_num);
}
int PQisBusy(PGconn* conn) {
  static const auto to = find<decltype(&::PQisBusy)>("PQisBusy");
  return to(conn);
}
PGnotify* PQnotifies(PGconn* conn) {
  static const auto to = find<decltype(&::PQnotifies)>("PQnotifies");
  return to(conn);
}
int PQntuples(const PGresult* res) {
  static const auto to = find<decltype(&::PQntuples)>("PQntuples");
  return to(res);
}
int PQpipelineSync(PGconn* conn) {
  static const auto to = find<decltype(&::PQpipelineSync)>("PQpipelineSync");
  return to(conn);
}
char* PQresultErrorField(const PGresult* res, int fieldcode) {
  static const auto to = find<decltype(&::PQresultErrorField)>("PQresultErrorField");
  return to(res, fieldcode);
}
char* PQresultErrorMessage(const PGresult* res) {
  static const auto to = find<decltype(&::PQresultErrorMessage)>("PQresultErrorMessage");
  return to(res);
}
ExecStatusType PQresultStatus(const PGresult* res) {
  static const auto to = find<decltype(&::PQresultStatus)>("PQresultStatus");
  return to(res);
}
int PQsendPrepare(PGconn* conn, const char* stmtName, const char* query, int nParams, const Oid* paramTypes) {
  static const auto to = find<decltype(&::PQsendPrepare)>("PQsendPrepare");
  return to(conn, stmtName, query, nParams, paramTypes);
}
int PQsendQueryParams(PGconn* conn, const char* command, int nParams, const Oid* paramTypes,
                      const char* const* paramValues, const int* paramLengths, const int* paramFormats,
                      int resultFormat) {
  static const auto to = find<decltype(&::PQsendQueryParams)>("PQsendQueryParams");
  return to(conn, command, nParams, paramTypes, paramValues, paramLengths, paramFormats, resultFormat);
}
int PQsendQueryPrepared(PGconn* conn, const char* stmtName, int nParams, const char* const* paramValues,
                        const int* paramLengths, const int* paramFormats, int resultFormat) {
  static const auto to = find<decltype(&::PQsendQueryPrepared)>("PQsendQueryPrepared");
  return to(conn, stmtName, nParams, paramValues, paramLengths, paramFormats, resultFormat);
}
int PQserverVersion(const PGconn* conn) {
  static const auto to = find<decltype(&::PQserverVersion)>("PQserverVersion");
  return to(conn);
}
PQnoticeProcessor PQsetNoticeProcessor(PGconn* conn, PQnoticeProcessor proc, void* arg) {
  static const auto to = find<decltype(&::PQsetNoticeProcessor)>("PQsetNoticeProcessor");
  return to(conn, proc, arg);
}
int PQsetnonblocking(PGconn* conn, int arg) {
  static const auto to = find<decltype(&::PQsetnonblocking)>("PQsetnonblocking");
  return to(conn, arg);
}
int PQsocket(const PGconn* conn) {
  static const auto to = find<decltype(&::PQsocket)>("PQsocket");
  return to(conn);
}
ConnStatusType PQstatus(const PGconn* conn) {
  static const auto to = find<decltype(&::PQstatus)>("PQstatus");
  return to(conn);
}
}  // extern "C"
