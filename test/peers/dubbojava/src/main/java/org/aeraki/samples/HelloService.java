package org.aeraki.samples;

import java.util.concurrent.CompletableFuture;

/** What every Dubbo peer serves and calls. */
public interface HelloService {
    /** "Hello NAME from SERVER" */
    String sayHello(String name);

    /** sayHello with a second argument, for rules that look at the number. */
    String greet(String name, int number);

    /** What was sent. */
    String echo(String text);

    /** "Hello MILLIS from SERVER" after so many milliseconds. */
    String slow(int millis);

    /** sayHello whose provider answers from another thread. */
    CompletableFuture<String> later(String name);

    /** Always the declared exception. */
    String fail(String why) throws HelloException;

    /** Always a RuntimeException. */
    String crash(String why);

    void nothing();

    /** What was sent, with the server's name in it. */
    Record pojo(Record record);

    byte[] blob(byte[] data);

    /** Consumers may call it one-way. */
    void notify(String what);

    /** How many notify calls there were. */
    long notified();

    /** Calls the listener back once before it answers "Hello KEY from SERVER". */
    String listen(String key, Listener listener);

    /** Returns what no serialization can write. */
    Object odd(String what);
}
