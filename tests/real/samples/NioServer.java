// SPDX-License-Identifier: Apache-2.0
// java.nio: one Selector (level-triggered epoll in the JDK); a connection that waits is parked with no interest.
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

public class NioServer {
    static final byte[] LARGE = new byte[2 << 20];
    static final byte[] SMALL = "hello world\n".getBytes();
    static final PriorityQueue<Connection> sleepers = new PriorityQueue<>(Comparator.comparingLong(c -> c.until));

    static class Connection {
        final SocketChannel channel;
        final SelectionKey key;
        final StringBuilder input = new StringBuilder();
        ByteBuffer[] output;
        long until;

        Connection(SocketChannel channel, Selector selector) throws IOException {
            this.channel = channel;
            channel.configureBlocking(false);
            key = channel.register(selector, SelectionKey.OP_READ, this);
        }

        void read() throws IOException {
            ByteBuffer chunk = ByteBuffer.allocate(1024);
            if (channel.read(chunk) < 0) {
                close();
                return;
            }
            chunk.flip();
            input.append(StandardCharsets.ISO_8859_1.decode(chunk));
            serve();
        }

        void serve() throws IOException {
            while (output == null) {
                int end = input.indexOf("\r\n\r\n");
                if (end < 0) {
                    key.interestOps(SelectionKey.OP_READ);
                    return;
                }
                String request = input.substring(0, end);
                input.delete(0, end + 4);
                if (request.startsWith("GET /slow/")) {
                    until = System.currentTimeMillis() + Long.parseLong(request.substring(10, request.indexOf(' ', 10)));
                    key.interestOps(0);
                    sleepers.add(this);
                    return;
                }
                answer(request.startsWith("GET /large") ? LARGE : SMALL);
            }
        }

        void answer(byte[] body) throws IOException {
            byte[] head = ("HTTP/1.1 200 OK\r\nContent-Length: " + body.length + "\r\n\r\n").getBytes();
            output = new ByteBuffer[] {ByteBuffer.wrap(head), ByteBuffer.wrap(body)};
            write();
        }

        void write() throws IOException {
            channel.write(output);
            if (output[1].hasRemaining()) {
                key.interestOps(SelectionKey.OP_WRITE);
                return;
            }
            output = null;
        }

        void close() throws IOException {
            sleepers.remove(this);
            channel.close();
        }

        void run(Step step) throws IOException {
            try {
                step.run();
            } catch (IOException | CancelledKeyException gone) {
                close();
            }
        }
    }

    interface Step {
        void run() throws IOException;
    }

    static void wake() throws IOException {
        while (!sleepers.isEmpty() && sleepers.peek().until <= System.currentTimeMillis()) {
            Connection c = sleepers.poll();
            c.run(() -> {
                c.answer(SMALL);
                c.serve();
            });
        }
    }

    public static void main(String[] args) throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 128);
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            wake();
            long left = sleepers.isEmpty() ? 0 : Math.max(1, sleepers.peek().until - System.currentTimeMillis());
            selector.select(left);
            for (SelectionKey key : selector.selectedKeys()) {
                if (!key.isValid())
                    continue;
                if (key.isAcceptable()) {
                    SocketChannel channel = listener.accept();
                    if (channel != null)
                        new Connection(channel, selector);
                    continue;
                }
                Connection c = (Connection) key.attachment();
                c.run(() -> {
                    if (key.isWritable()) {
                        c.write();
                        c.serve();
                    } else {
                        c.read();
                    }
                });
            }
            selector.selectedKeys().clear();
        }
    }
}
