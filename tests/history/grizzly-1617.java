// SPDX-License-Identifier: Apache-2.0
// Grizzly, blocking write over a temporary selector. The selected set is not cleared after the first select(); from then on select() returns 0
// although the socket is writable (the set did not change), the writer takes that for "not yet" and selects again: 100 % of a core. EPOLLOUT each
// turn, nothing written.
// Report: https://github.com/eclipse-ee4j/glassfish-grizzly/issues/1617
// Fix: clear the selected set after each select().
// Expect all: busy-epollout likely
// Expect excerpt: none: other threads of the JVM fill the lines, and 100 turns are asked for
// Also: busy-epollout excerpt: where its lines happen to hold 100 turns
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
    ServerSocketChannel listener = ServerSocketChannel.open();
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    SocketChannel client = SocketChannel.open(listener.getLocalAddress());
    Thread reader = new Thread(() -> {
      try {
        ByteBuffer in = ByteBuffer.allocate(4096);
        while (client.read(in) > 0) {
          in.clear();
          Thread.sleep(1);
        }
      } catch (Exception e) {
        throw new RuntimeException(e);
      }
    });
    reader.setDaemon(true);
    reader.start();
    SocketChannel connection = listener.accept();
    connection.configureBlocking(false);
    Selector temporary = Selector.open();
    connection.register(temporary, SelectionKey.OP_WRITE);
    ByteBuffer out = ByteBuffer.allocate(1 << 20);
    while (true) {
      int ready = temporary.select(30000);
      if (fixed) temporary.selectedKeys().clear();
      if (ready == 0) continue;
      connection.write(out);
      if (!out.hasRemaining()) out.clear();
    }
  }
}
