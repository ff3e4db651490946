// SPDX-License-Identifier: Apache-2.0
// Java-WebSocket 1.0.0-alpha1. Shortly after the first client connects the server thread loops at 100 %: the read buffer is full and is not emptied,
// read() into it takes nothing, and select() returns at once. EPOLLIN each turn, nothing read.
// Report: https://github.com/TooTallNate/Java-WebSocket/issues/90
// Fix: empty the buffer before each read.
// Expect all: unread-spin likely
// Expect excerpt: unread-spin risk
// Log: 6
// Begins: 1
// Run: 4
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

class Program {
  public static void main(String[] args) throws Exception {
    new java.util.Timer(true).schedule(new java.util.TimerTask() { public void run() { System.exit(0); } }, 60000);
    boolean fixed = "1".equals(System.getenv("FIXED"));
    Selector selector = Selector.open();
    ServerSocketChannel listener = ServerSocketChannel.open();
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    SocketChannel client = SocketChannel.open(listener.getLocalAddress());
    SocketChannel connection = listener.accept();
    connection.configureBlocking(false);
    connection.register(selector, SelectionKey.OP_READ);
    client.write(ByteBuffer.allocate(3000));
    ByteBuffer in = ByteBuffer.allocate(1024);
    while (true) {
      selector.select();
      for (SelectionKey key : selector.selectedKeys()) {
        if (key.isReadable()) connection.read(in);
        if (fixed) in.clear();
      }
      selector.selectedKeys().clear();
    }
  }
}
