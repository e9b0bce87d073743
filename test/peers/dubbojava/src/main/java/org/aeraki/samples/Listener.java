package org.aeraki.samples;

/** An argument that the provider calls back through the consumer's connection. */
public interface Listener {
    String changed(String message);
}
