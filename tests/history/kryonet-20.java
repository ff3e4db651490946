// SPDX-License-Identifier: Apache-2.0
// KryoNet, server at 100 % CPU. A datagram waits; the handler finds that it cannot belong to a known connection and goes on to the next key without
// reading it. select() returns at once from then on. EPOLLIN of a UDP socket each turn, nothing read.
// Report: https://github.com/EsotericSoftware/kryonet/issues/20
// Fix: read the datagram, then decide.
// Expect all: unread-spin likely
// Expect excerpt: none: other threads of the JVM fill the lines, and 100 turns are asked for
// Also: unread-spin excerpt: where its lines happen to hold 100 turns
// Log: 6
// Begins: 1
// Run: 4
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;

class Program {
  public static void main(String[] args) throws Exception {
    new java.util.Timer(true).schedule(new java.util.TimerTask() { public void run() { System.exit(0); } }, 60000);
    boolean fixed = "1".equals(System.getenv("FIXED"));
    Selector selector = Selector.open();
    DatagramChannel server = DatagramChannel.open();
    server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    server.configureBlocking(false);
    server.register(selector, SelectionKey.OP_READ);
    DatagramChannel stranger = DatagramChannel.open();
    stranger.send(ByteBuffer.wrap("hello".getBytes()), server.getLocalAddress());
    InetSocketAddress known = null; // nobody has registered for UDP yet
    while (true) {
      selector.select(250);
      for (var keys = selector.selectedKeys().iterator(); keys.hasNext(); ) {
        SelectionKey key = keys.next();
        keys.remove();
        if (!fixed && known == null) continue;
        ((DatagramChannel) key.channel()).receive(ByteBuffer.allocate(2048));
      }
    }
  }
}
