// SPDX-License-Identifier: Apache-2.0
// Netty with back-pressure: autoRead is off while an answer is under way. `NettyServer PORT`; on the epoll
// transport where its native library is there, else on NIO, as Netty programs do.
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.*;
import io.netty.channel.*;
import io.netty.channel.epoll.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

public class NettyServer {
    static final byte[] LARGE = new byte[2 << 20];
    static final byte[] SMALL = "hello world\n".getBytes();

    static class Handler extends ChannelInboundHandlerAdapter {
        final StringBuilder input = new StringBuilder();
        boolean busy;

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf bytes = (ByteBuf) message;
            input.append(bytes.toString(StandardCharsets.ISO_8859_1));
            bytes.release();
            serve(context);
        }

        void serve(ChannelHandlerContext context) {
            int end = busy ? -1 : input.indexOf("\r\n\r\n");
            if (end < 0)
                return;
            String request = input.substring(0, end);
            input.delete(0, end + 4);
            busy = true;
            context.channel().config().setAutoRead(false);
            if (request.startsWith("GET /slow/")) {
                long ms = Long.parseLong(request.substring(10, request.indexOf(' ', 10)));
                context.executor().schedule(() -> answer(context, SMALL), ms, TimeUnit.MILLISECONDS);
            } else {
                answer(context, request.startsWith("GET /large") ? LARGE : SMALL);
            }
        }

        void answer(ChannelHandlerContext context, byte[] body) {
            byte[] head = ("HTTP/1.1 200 OK\r\nContent-Length: " + body.length + "\r\n\r\n").getBytes();
            context.writeAndFlush(Unpooled.wrappedBuffer(head, body)).addListener(done -> {
                if (!done.isSuccess()) {
                    context.close();
                    return;
                }
                busy = false;
                context.channel().config().setAutoRead(true);
                context.executor().execute(() -> serve(context));
            });
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    public static void main(String[] args) throws Exception {
        boolean epoll = Epoll.isAvailable();
        System.out.println("transport " + (epoll ? "epoll" : "nio"));
        EventLoopGroup group = epoll ? new EpollEventLoopGroup(2) : new NioEventLoopGroup(2);
        new ServerBootstrap()
            .group(group)
            .channel(epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
            .childOption(ChannelOption.RCVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(1024))
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel channel) {
                    channel.pipeline().addLast(new Handler());
                }
            })
            .bind("127.0.0.1", Integer.parseInt(args[0]))
            .sync()
            .channel()
            .closeFuture()
            .sync();
    }
}
