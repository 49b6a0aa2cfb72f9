#include "support/http_test_server.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace fusebox::testing {
namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

SSL_CTX* tls_context(const Certificate& certificate) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  require(context != nullptr);
  BIO* bio = BIO_new_mem_buf(certificate.certificate_pem.data(), static_cast<int>(certificate.certificate_pem.size()));
  X509* x509 = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(certificate.key_pem.data(), static_cast<int>(certificate.key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  require(x509 != nullptr && key != nullptr);
  require(SSL_CTX_use_certificate(context, x509) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(x509);
  EVP_PKEY_free(key);
  return context;
}

}  // namespace

class HttpTestServer::Connection final : public TestConnection {
 public:
  Connection(int fd, SSL_CTX* context) : fd_(fd), tls_(context != nullptr ? SSL_new(context) : nullptr) {}
  ~Connection() override {
    if (tls_ != nullptr) SSL_free(tls_);
    ::close(fd_);
  }
  bool begin() {
    if (tls_ == nullptr) return true;
    SSL_set_fd(tls_, fd_);
    return SSL_accept(tls_) == 1;
  }
  bool write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const long n = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                     : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  long read(char* into, std::size_t size) {
    return tls_ != nullptr ? SSL_read(tls_, into, static_cast<int>(size)) : ::recv(fd_, into, size, 0);
  }
  void wait_for_client_to_close() override {
    char ignored[256];
    while (read(ignored, sizeof(ignored)) > 0) {
    }
  }
  std::string read_some() override {
    if (!pending.empty()) return std::exchange(pending, {});
    char piece[4096];
    const long n = read(piece, sizeof(piece));
    return n > 0 ? std::string(piece, static_cast<std::size_t>(n)) : std::string();
  }
  void shut_down() { ::shutdown(fd_, SHUT_RDWR); }

  std::string pending;  // bytes read beyond the last request

 private:
  int fd_;
  SSL* tls_;
};

std::string SeenRequest::header(std::string_view name) const {
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    const std::size_t start = at + 2;
    if (head.size() <= start + name.size() || head[start + name.size()] != ':') continue;
    if (strncasecmp(head.data() + start, name.data(), name.size()) != 0) continue;
    std::size_t value = start + name.size() + 1;
    while (value < head.size() && head[value] == ' ') ++value;
    return head.substr(value, head.find("\r\n", value) - value);
  }
  return {};
}

HttpTestServer::HttpTestServer(TestHandler handler, Options options)
    : handler_(std::move(handler)), requests_before_hanging_up_(options.requests_before_hanging_up) {
  if (options.certificate != nullptr) tls_ = tls_context(*options.certificate);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  require(inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) == 1);
  require(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  require(::listen(listener_, 64) == 0);
  socklen_t size = sizeof(address);
  require(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpTestServer::~HttpTestServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& connection : open_) connection->shut_down();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  open_.clear();
  if (tls_ != nullptr) SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

void HttpTestServer::accept_all() {
  // For this thread and those it starts only: a client under test must look after itself.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    connections_.fetch_add(1);
    auto connection = std::make_shared<Connection>(fd, static_cast<SSL_CTX*>(tls_));
    const std::lock_guard lock(mutex_);
    open_.push_back(connection);
    threads_.emplace_back([this, connection] {
      if (connection->begin()) serve(*connection);
      connection->shut_down();
    });
  }
}

void HttpTestServer::serve(Connection& connection) {
  char piece[4096];
  const auto fill = [&] {
    const long n = connection.read(piece, sizeof(piece));
    if (n > 0) connection.pending.append(piece, static_cast<std::size_t>(n));
    return n > 0;
  };
  for (int served = 0; served != requests_before_hanging_up_; ++served) {
    std::size_t end = std::string::npos;
    while ((end = connection.pending.find("\r\n\r\n")) == std::string::npos)
      if (!fill()) return;
    SeenRequest request;
    request.head = connection.pending.substr(0, end + 2);
    connection.pending.erase(0, end + 4);
    request.method = request.head.substr(0, request.head.find(' '));
    const std::size_t target = request.method.size() + 1;
    request.target = request.head.substr(target, request.head.find(' ', target) - target);
    const std::size_t length =
        static_cast<std::size_t>(std::strtoull(request.header("content-length").c_str(), nullptr, 10));
    while (connection.pending.size() < length)
      if (!fill()) return;
    request.body = connection.pending.substr(0, length);
    connection.pending.erase(0, length);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    if (!handler_(request, connection)) return;
  }
}

std::vector<SeenRequest> HttpTestServer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::string response(int status, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace fusebox::testing
