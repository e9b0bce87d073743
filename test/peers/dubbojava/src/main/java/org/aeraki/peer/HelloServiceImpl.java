package org.aeraki.peer;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.aeraki.samples.HelloException;
import org.aeraki.samples.HelloService;
import org.aeraki.samples.Listener;
import org.aeraki.samples.Record;
import org.apache.dubbo.rpc.RpcContext;

/** The service: counts, waits the delay, marks its replies. */
final class HelloServiceImpl implements HelloService {
    private final String server;
    private final long delayMillis;
    private final Counts counts;
    private final AtomicLong notified = new AtomicLong();

    HelloServiceImpl(String server, long delayMillis, Counts counts) {
        this.server = server;
        this.delayMillis = delayMillis;
        this.counts = counts;
    }

    private void begin(String method) {
        counts.begin(method);
        sleep(delayMillis);
        RpcContext.getContext().getAttachments().forEach((k, v) -> {
            if (k.startsWith(Dubbo.ECHOED)) {
                RpcContext.getServerContext().setAttachment(Dubbo.ECHOED_AS + k.substring(Dubbo.ECHOED.length()), v);
            }
        });
        RpcContext.getServerContext().setAttachment(Dubbo.SERVED_BY, server);
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private String greeting(String name) {
        return "Hello " + name + " from " + server;
    }

    @Override
    public String sayHello(String name) {
        begin("sayHello");
        return greeting(name);
    }

    @Override
    public String greet(String name, int number) {
        begin("greet");
        return greeting(name);
    }

    @Override
    public String echo(String text) {
        begin("echo");
        return text;
    }

    @Override
    public String slow(int millis) {
        begin("slow");
        sleep(millis);
        return greeting(Integer.toString(millis));
    }

    @Override
    public CompletableFuture<String> later(String name) {
        begin("later");
        return CompletableFuture.supplyAsync(() -> greeting(name));
    }

    @Override
    public String fail(String why) throws HelloException {
        begin("fail");
        HelloException e = new HelloException(why);
        e.setCode(42);
        throw e;
    }

    @Override
    public String crash(String why) {
        begin("crash");
        throw new RuntimeException(why);
    }

    @Override
    public void nothing() {
        begin("nothing");
    }

    @Override
    public Record pojo(Record record) {
        begin("pojo");
        record.setServer(server);
        return record;
    }

    @Override
    public byte[] blob(byte[] data) {
        begin("blob");
        return data;
    }

    @Override
    public void notify(String what) {
        begin("notify");
        notified.incrementAndGet();
    }

    @Override
    public long notified() {
        begin("notified");
        return notified.get();
    }

    @Override
    public String listen(String key, Listener listener) {
        begin("listen");
        String seen = listener.changed(greeting(key));
        if (!("seen " + greeting(key)).equals(seen)) {
            throw new IllegalStateException("the listener answered " + seen);
        }
        return greeting(key);
    }

    @Override
    public Object odd(String what) {
        begin("odd");
        return new Thread(what);
    }
}
