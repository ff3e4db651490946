// SPDX-License-Identifier: Apache-2.0
// Grizzly, write interest that stays. A response was cut short, the selector asks for OP_WRITE, and after the rest was sent it still does: strace
// shows EPOLLOUT each turn, 100 % CPU; the sockets end in CLOSE_WAIT, still armed. EPOLLOUT each turn, nothing written.
// Report: https://github.com/eclipse-ee4j/glassfish-grizzly/issues/1749
// Fix: take OP_WRITE away when the output is empty.
// Expect all: busy-epollout likely
// Expect excerpt: busy-epollout risk
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
    Thread reader = new Thread(() -> {
      try {
        ByteBuffer in = ByteBuffer.allocate(65536);
        while (client.read(in) > 0) in.clear();
      } catch (Exception e) {
        throw new RuntimeException(e);
      }
    });
    reader.setDaemon(true);
    reader.start();
    SocketChannel connection = listener.accept();
    connection.configureBlocking(false);
    SelectionKey key = connection.register(selector, SelectionKey.OP_READ);
    ByteBuffer out = ByteBuffer.allocate(8 << 20);
    connection.write(out);
    if (out.hasRemaining()) key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
    while (true) {
      selector.select();
      for (SelectionKey k : selector.selectedKeys()) {
        if (k.isWritable() && out.hasRemaining()) connection.write(out);
        if (fixed && !out.hasRemaining()) k.interestOps(SelectionKey.OP_READ);
      }
      selector.selectedKeys().clear();
    }
  }
}
