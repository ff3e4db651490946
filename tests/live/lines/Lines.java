// SPDX-License-Identifier: Apache-2.0
// As lines.go, in Java, which sleeps in futex: its handler reads standard input instead. EPollSelectorImpl calls epoll_ctl within select().
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

public class Lines {
    static void handle(SocketChannel channel, ByteBuffer buffer) throws Exception {
        buffer.clear();
        channel.read(buffer);
        System.in.read(); // until somebody writes to standard input
    }

    static void loop(Selector selector, boolean sleeps, long end) throws Exception {
        ByteBuffer buffer = ByteBuffer.allocate(64);
        while (System.nanoTime() < end) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                if (sleeps) {
                    handle((SocketChannel) key.channel(), buffer);
                    break;
                }
            }
            selector.selectedKeys().clear();
        }
    }

    public static void main(String[] words) throws Exception {
        ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
        boolean sleeps = words[0].equals("sleep");
        Selector selector = Selector.open();
        loop(selector, sleeps, 0); // so that it is compiled
        while (words.length > 1 && !Files.exists(Path.of(words[1]))) { // and has a name in the map
            Thread.sleep(20);
        }
        SocketChannel[] talk = new SocketChannel[3];
        for (int i = 0; i < talk.length; i++) {
            talk[i] = SocketChannel.open(listener.getLocalAddress());
            SocketChannel served = listener.accept();
            served.configureBlocking(false);
            served.register(selector, sleeps ? SelectionKey.OP_READ : SelectionKey.OP_WRITE);
        }
        Thread client = new Thread(() -> {
            try {
                while (sleeps) {
                    for (SocketChannel channel : talk) {
                        channel.write(ByteBuffer.wrap(new byte[1]));
                    }
                    Thread.sleep(50);
                }
            } catch (Exception end) {
            }
        });
        client.setDaemon(true);
        client.start();
        loop(selector, sleeps, System.nanoTime() + 20_000_000_000L);
    }
}
