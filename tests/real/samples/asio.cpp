// SPDX-License-Identifier: Apache-2.0
// An asio server (the library is the same as Boost.Asio): two threads run one io_context, each connection has at
// most one operation outstanding, so edges arrive that nobody waits for.
#include <asio.hpp>
#include <charconv>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using asio::ip::tcp;

const std::string kLarge(2 << 20, '\0');
const std::string kSmall = "hello world\n";

class Connection : public std::enable_shared_from_this<Connection> {
public:
    explicit Connection(tcp::socket socket) : socket_(std::move(socket)), timer_(socket_.get_executor()) {}

    void serve()
    {
        size_t end = input_.find("\r\n\r\n");
        if (end == std::string::npos) {
            read();
            return;
        }
        std::string request = input_.substr(0, end);
        input_.erase(0, end + 4);
        if (request.rfind("GET /slow/", 0) == 0)
            pause(request);
        else
            answer(request.rfind("GET /large", 0) == 0 ? kLarge : kSmall);
    }

private:
    void read()
    {
        socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](std::error_code error, size_t n) {
            if (error || self->input_.size() > 65536)
                return;
            self->input_.append(self->chunk_, n);
            self->serve();
        });
    }

    void pause(const std::string& request)
    {
        int ms = 0;
        std::from_chars(request.data() + 10, request.data() + request.size(), ms);
        timer_.expires_after(std::chrono::milliseconds(ms));
        timer_.async_wait([self = shared_from_this()](std::error_code) { self->answer(kSmall); });
    }

    void answer(const std::string& body)
    {
        head_ = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
        std::vector<asio::const_buffer> buffers{asio::buffer(head_), asio::buffer(body)};
        asio::async_write(socket_, buffers, [self = shared_from_this()](std::error_code error, size_t) {
            if (!error)
                self->serve();
        });
    }

    tcp::socket socket_;
    asio::steady_timer timer_;
    std::string input_;
    std::string head_;
    char chunk_[1024];
};

void accept(tcp::acceptor& acceptor)
{
    acceptor.async_accept(asio::make_strand(acceptor.get_executor()), [&](std::error_code error, tcp::socket socket) {
        if (!error)
            std::make_shared<Connection>(std::move(socket))->serve();
        accept(acceptor);
    });
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 2)
        return 2;
    asio::io_context context;
    tcp::acceptor acceptor(context,
                           {asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[1]))});
    accept(acceptor);
    std::thread second([&] { context.run(); });
    context.run();
    second.join();
}
