#include "tests/integration/http_get.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

class Socket {
 public:
  static absl::StatusOr<std::unique_ptr<Socket>> Connect(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0)
      return absl::InvalidArgumentError(absl::StrCat("no address: ", host, ":", port));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
    std::unique_ptr<Socket> made(new Socket(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    if (connect(made->fd_, found->ai_addr, found->ai_addrlen) != 0)
      return absl::UnavailableError(absl::StrCat("nobody listens at ", host, ":", port));
    return made;
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

 private:
  explicit Socket(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  SUPERPOSE_ASSIGN_OR_RETURN(const auto socket, Socket::Connect(address.substr(0, colon), address.substr(colon + 1)));
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", address, "\r\nConnection: close\r\n\r\n");
  if (send(socket->fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return absl::UnavailableError("the request cannot be sent");
  std::string answer;
  std::array<char, 4096> part{};
  ssize_t received = 0;
  while ((received = recv(socket->fd(), part.data(), part.size(), 0)) > 0)
    answer.append(part.data(), static_cast<size_t>(received));
  if (received < 0) return absl::UnavailableError("the answer broke off");
  return answer;
}

}  // namespace superpose
